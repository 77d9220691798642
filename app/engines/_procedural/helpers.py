"""Helper functions that general steps call; a program that uses one carries it."""

from __future__ import annotations

HELPERS: dict[str, str] = {
    "recurrence": """def recurrence(number, factor):
    terms = [0, 1]
    for place in range(abs(number) % 9):
        terms.append((terms[-1] * factor + terms[-2]) % 1000)
    return terms[-1]""",
    "halving_steps": """def halving_steps(number, limit):
    number = abs(number) + 1
    steps = 0
    while number > 1 and steps < limit:
        number = number // 2 if number % 2 == 0 else 3 * number + 1
        steps += 1
    return steps""",
    "stir": """def stir(number, rounds):
    for step in range(rounds):
        number = number * 3 % 101 + step
    return number""",
    "run_lengths": """def run_lengths(text):
    runs = []
    for letter in text:
        if runs and runs[-1][0] == letter:
            runs[-1][1] += 1
        else:
            runs.append([letter, 1])
    return ''.join(letter + str(length) for letter, length in runs)""",
    "shift_letters": """def shift_letters(text, places):
    shifted = ''
    for letter in text:
        if 'a' <= letter <= 'z':
            letter = chr((ord(letter) - ord('a') + places) % 26 + ord('a'))
        shifted += letter
    return shifted""",
    "letter_counts": """def letter_counts(text):
    counts = {}
    for letter in text:
        counts[letter] = counts.get(letter, 0) + 1
    return counts""",
    "rolling_hash": """def rolling_hash(text, start, factor, modulus):
    digest = start
    for letter in text:
        digest = (digest * factor + ord(letter)) % modulus
    return digest""",
    "running_totals": """def running_totals(numbers):
    total = 0
    totals = []
    for number in numbers:
        total += number
        totals.append(total)
    return totals""",
    "walk": """def walk(numbers, start, factor, modulus):
    state = start
    for number in numbers:
        if (state + number) % 2 == 0:
            state += number
        else:
            state = state * factor % modulus
    return state""",
    "length_counts": """def length_counts(words):
    counts = {}
    for word in words:
        counts[len(word)] = counts.get(len(word), 0) + 1
    return counts""",
}
