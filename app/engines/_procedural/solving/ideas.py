"""The operations that the student can think of, each with the words of a message that bring it to mind.

The first operand is `a`, the second `b`. Kinds are single letters: s text, i integer, l list or tuple, d dictionary,
b bytes, f float, o boolean, n None; two letters are the kinds of two operands, ?? stands for any. A word that ends in *
stands for all words that begin so.
"""

from __future__ import annotations

UNARY: dict[str, str] = {
    "s": """
        tuple(a)                                     | tuple
        a + a                                        | repeat*
        a.lower()                                    | lower
        a.upper()                                    | upper
        a.strip()                                    | strip* without surround*
        a.title()                                    | capital*
        a.capitalize()                               | capital*
        a.lstrip()                                   | leading
        a.rstrip()                                   | trailing
        a[::-1]                                      | revers*
        len(a)                                       | length long*
        a.split()                                    | split* part* word* white
        a.isdigit()                                  | digit*
        a.isalpha()                                  | letter*
        a.isalnum()                                  | letter* digit*
        a.isupper()                                  | upper
        a.islower()                                  | lower
        a.isspace()                                  | white
        list(a)                                      | character* item* letter*
        [ord(x) for x in a]                          | code point*
        sum(ord(x) for x in a)                       | add* code sum
        int(a)                                       | integer number
        sorted(a)                                    | sort*
        a[0]                                         | first
        a[-1]                                        | last
        a[1:]                                        | first position without
        a[:-1]                                       | last up
        a[::2]                                       | every multiple
        a.splitlines()                               | line*
        bool(a)                                      | empty true
        a.encode()                                   | bytes
        a.isidentifier()                             | identifier
        a.swapcase()                                 | swap*
    """,
    "i": """
        -a                                           | minus sign negative
        abs(a)                                       | sign absolute
        a + 1                                        | plus add*
        a - 1                                        | minus
        a * 2                                        | times multipl* doubl*
        a // 2                                       | halv* divid*
        a % 2                                        | odd even remainder
        str(a)                                       | decimal text written
        hex(a)                                       | hexadecimal
        bin(a)                                       | binary
        bin(abs(a))[2:]                              | binary absolute
        chr(a)                                       | character
        bool(a)                                      | zero true
        a * a                                        | square* times
        list(range(min(a, 60)))                      | below
        a.bit_length()                               | bits
        ~a                                           | invert
        [int(x) for x in str(abs(a))]                | digit*
    """,
    "l": """
        len(a)                                       | length count* how many
        sum(a)                                       | sum add* up total
        max(a)                                       | largest most
        min(a)                                       | smallest least
        sorted(a)                                    | sort*
        a[::-1]                                      | revers*
        a[0]                                         | first
        a[-1]                                        | last
        a[1]                                         | second
        a[1:]                                        | first position without
        a[:-1]                                       | last up
        a[::2]                                       | every second
        ''.join(a)                                   | join*
        list(a)                                      | list items
        tuple(a)                                     | tuple
        any(a)                                       | any
        all(a)                                       | all
        bool(a)                                      | empty
        list(enumerate(a))                           | position
        sorted(set(a))                               | distinct
        dict(a)                                      | dictionary
        ','.join(a)                                  | join* comma*
        ','.join(str(x) for x in a)                  | join* comma*
        [x[0] for x in a]                            | first
        [x[1] for x in a]                            | second
        [x[::-1] for x in a]                         | revers*
        ''.join(x[:1] for x in a)                    | join* first
        [str(x) for x in a]                          | text
        [len(x) for x in a]                          | length*
        [x for x in a if x]                          | empty
        [y - x for x, y in zip(a, a[1:])]            | difference*
        max(a, key=len)                              | longest
        sorted(a, key=len)                           | sort* length
        sum(x * i for i, x in enumerate(a, 1))       | position times
        [x + str(i) for i, x in enumerate(a)]        | position append*
    """,
    "d": """
        list(a)                                      | key*
        list(a.values())                             | value*
        list(a.items())                              | entr*
        sorted(a)                                    | sort*
        sorted(a.items())                            | sort* entr*
        sorted(a.items(), key=str)                   | entr* text
        len(a)                                       | length count*
        bool(a)                                      | empty
        str(a)                                       | text
        sum(a.values())                              | add* sum
        [str(x) for x in a]                          | key* text
        dict(a)                                      | copy
    """,
    "b": """
        len(a)                                       | length
        list(a)                                      | numbers
        a.hex()                                      | hexadecimal
        a[::-1]                                      | revers*
        a.decode('latin1')                           | text
        bool(a)                                      | empty
    """,
    "f": """
        int(a)                                       | integer cut
        round(a)                                     | round*
        str(a)                                       | text decimal
        -a                                           | minus
        abs(a)                                       | sign
    """,
    "o": """
        not a                                        | not opposite
        int(a)                                       | number integer
        str(a)                                       | text
        [a, not a]                                   | opposite pair
    """,
    "n": """
        str(a)                                       | text
    """,
}
BINARY: dict[str, str] = {
    "ii": """
        abs(a) // b                                  | sign divid*
        [a % x for x in range(2, min(b, 20))]            | remainders
        a + b if a % 2 else a // 2                   | odd halve*
        a % b == 0                                   | multiple
        a + b                                        | plus add* sum
        a - b                                        | minus
        a * b                                        | times multipl*
        a // b                                       | divid*
        a % b                                        | remainder* modulo
        a & b                                        | bitwise
        a | b                                        | bitwise
        a ^ b                                        | exclusive
        a >> b                                       | shifted
        a == b                                       | equal*
        a != b                                       | differ* not
        a > b                                        | above
        a >= b                                       | least
        max(a, b)                                    | larg*
        min(a, b)                                    | small*
        (a, b)                                       | tuple
        a / b                                        | divid*
        divmod(a, b)                                 | divid*
    """,
    "ss": """
        a % b                                        | fill*
        a + b                                        | plus append* follow*
        a == b                                       | equal*
        a != b                                       | differ* not
        a in b                                       | occur*
        a not in b                                   | occur*
        a.split(b)                                   | split* part* between
        a.startswith(b)                              | start*
        a.endswith(b)                                | end*
        a.count(b)                                   | count* often occur*
        a.find(b)                                    | position first
        a.rfind(b)                                   | position last
        a.strip(b)                                   | strip* without surround*
        a.rstrip(b)                                  | trailing
        a.lstrip(b)                                  | leading
        a.partition(b)                               | before after first
        a.rpartition(b)                              | before after last
        (a, b)                                       | tuple
        a.replace(b, '')                             | replac* remov*
        a                                            | b <below
        a > b                                        | above
        a.join(b)                                    | join*
        [a, b]                                       | list
        ''.join(x for x in a if x not in b)          | keep occur*
        [x[::-1] for x in a.split(b)]                | split* revers*
        a.removeprefix(b)                            | prefix
        a.removesuffix(b)                            | suffix
        a.index(b)                                   | position first
    """,
    "si": """
        a % b                                        | fill*
        a + str(b)                                   | follow*
        a[b]                                         | entry position
        a[:b]                                        | up position first
        a[b:]                                        | from position
        a * min(b, 20)                               | times
        a.ljust(min(b, 60))                          | right
        a.rjust(min(b, 60))                          | left
        a.zfill(min(b, 60))                          | zeros
        a.split(None, b)                             | split*
        (a, b)                                       | tuple
        a[b:] + a[:b]                                | move first end
        sum(ord(x) for x in a) % b                   | add* code modulo
        a[::b]                                       | every multiple
    """,
    "is": """
        str(a) + b                                   | follow*
        (a, b)                                       | tuple
    """,
    "li": """
        a[b]                                         | entry position
        a[:b]                                        | up position
        a[b:]                                        | from position
        b in a                                       | occur*
        a + [b]                                      | append* plus
        a * min(b, 9)                                | times
        a.count(b)                                   | often count*
        [x + b for x in a]                           | each add*
        [x * b for x in a]                           | each multipl*
        [x % b for x in a]                           | each modulo
        [x for x in a if x % b]                      | drop multiples
        [x for x in a if x > b]                      | keep above
        [x - b for x in a]                           | each minus
        [x // b for x in a]                          | each divid*
        [x for x in a if len(x) > b]                 | longer keep
        (a, b)                                       | tuple
    """,
    "ls": """
        b.join(a)                                    | join*
        b in a                                       | occur*
        b not in a                                   | occur*
        a + [b]                                      | append*
        a.count(b)                                   | often count*
        b.join(map(str, a))                          | join*
        [x for x in a if x != b]                     | differ* each
        [x + b for x in a]                           | each append* plus
        [b + x for x in a]                           | each plus
        [x.split(b) for x in a]                      | split* each
        [x for x in a if b in x]                     | occur* each
        [x for x in a if x.startswith(b)]            | start* each
        a.index(b)                                   | position
        (a, b)                                       | tuple
    """,
    "ll": """
        a + b                                        | plus append*
        a == b                                       | equal*
        a != b                                       | differ* not
        list(zip(a, b))                              | pair*
        (a, b)                                       | tuple
        [x for x in a if x in b]                     | occur*
        [x for x in a if x not in b]                 | occur* not
    """,
    "dd": """
        {**a, **b}                                   | update*
        a == b                                       | equal*
        (a, b)                                       | tuple
    """,
    "ds": """
        a.get(b)                                     | entry
        a.get(b, '')                                 | entry
        b in a                                       | occur*
        b not in a                                   | occur*
        a[b]                                         | entry
    """,
    "di": """
        {**a, b: b}                                  | entry
        a.get(b)                                     | entry
    """,
    "bi": """
        a[b]                                         | entry
        a[:b]                                        | up
        a[b:]                                        | from
    """,
    "oo": """
        a and b                                      | and
        a or b                                       | or
        a == b                                       | equal*
    """,
    "oi": """
        a * b                                        | times
        b if a else 0                                | otherwise
    """,
    "fi": """
        a * b                                        | times
        a + b                                        | plus
        a - b                                        | minus
        a / b                                        | divid*
        a > b                                        | above
        a                                            | b <below
        a // b                                       | divid*
        int(a * b)                                   | multipl* cut
        round(a) % b                                 | round* modulo
    """,
    "ff": """
        a + b                                        | plus
        a * b                                        | times
        a - b                                        | minus
        a                                            | b <below
        a > b                                        | above
    """,
    "bb": """
        a + b                                        | plus
        a == b                                       | equal*
        a.count(b)                                   | often
    """,
    "sl": """
        a.replace(*b)                                | replac*
        a % b                                        | fill*
        a in b                                       | occur*
        a not in b                                   | occur*
        a.join(b)                                    | join*
    """,
    "il": """
        b[a]                                         | item entry
        b[a % len(b)]                                | item modulo length
        a in b                                       | occur*
    """,
    "??": """
        (a, b)                                       | tuple
        a == b                                       | equal*
        a != b                                       | differ* not
        a or b                                       | or otherwise
        a and b                                      | and
    """,
}
