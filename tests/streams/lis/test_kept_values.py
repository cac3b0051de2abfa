"""Values of a build are kept up to a size: the least asked for goes first, a large one at once."""

from streams.lis.kept_values import KeptValues


def test_a_value_is_made_once_until_others_need_its_place():
    kept, made = KeptValues[list[str]](most=65, large=40), []

    def get(key, size=9):
        def make():
            made.append(key)
            return [key] * size

        return kept.get(key, make, len)

    assert get("a") == get("a") == ["a"] * 9
    get("b")
    get("a")
    get("c")
    assert made == ["a", "b", "c"]
    get("a")
    assert made == ["a", "b", "c"]
    get("b")
    assert made == ["a", "b", "c", "b"]


def test_a_large_value_drives_out_no_others():
    kept, made = KeptValues[list[str]](most=200, large=30), []

    def get(key, size):
        def make():
            made.append(key)
            return [key] * size

        return kept.get(key, make, len)

    get("small", 1)
    for _ in range(2):
        assert len(get("large", 50)) == 50
    get("small", 1)
    assert made == ["small", "large", "large"]


def test_answers_without_a_row_take_places_too():
    kept, made = KeptValues[list[str]](most=100, large=50), []

    def get(key):
        def make():
            made.append(key)
            return []

        return kept.get(key, make, len)

    for number in (1, 2, 3, 4, 5, 6, 1):
        get(number)
    assert made == [1, 2, 3, 4, 5, 6, 1]


def test_a_value_that_is_kept_again_is_in_the_place_of_its_former_one():
    kept = KeptValues[str](most=100, large=60, of_key=0)
    for number in range(10):
        kept.keep("a", f"value {number}", 40)
        assert kept.find("a") == f"value {number}"
    kept.keep("b", "another", 40)
    assert (kept.find("a"), kept.find("b"), len(kept)) == ("value 9", "another", 2)
    kept.keep("a", "too large", 60)
    assert (kept.find("a"), len(kept)) == (None, 1)
