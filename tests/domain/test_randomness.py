from app.domain.randomness import derive


def test_the_same_parts_give_the_same_number_everywhere() -> None:
    assert derive(7, "main", "deduction", 3) == 7897626834295381913


def test_order_kind_and_borders_of_parts_matter() -> None:
    numbers = {derive(1, 2), derive(2, 1), derive("1", 2), derive(12), derive("1", "2"), derive("12")}
    assert len(numbers) == 6


def test_numbers_fit_a_signed_64_bit_seed() -> None:
    assert all(0 <= derive(i) < 2**63 for i in range(1000))
