import unittest

from textstats import count_vowels, count_words, longest_word


class CountWords(unittest.TestCase):
    def test_words_are_separated_by_white_space(self):
        self.assertEqual(count_words("one  two\tthree\nfour"), 4)

    def test_an_empty_text_has_none(self):
        self.assertEqual(count_words(""), 0)


class LongestWord(unittest.TestCase):
    def test_the_first_of_the_longest_wins(self):
        self.assertEqual(longest_word("a tree and a bush"), "tree")

    def test_an_empty_text_has_none(self):
        self.assertEqual(longest_word(" "), "")


class CountVowels(unittest.TestCase):
    def test_every_occurrence_counts(self):
        self.assertEqual(count_vowels("banana"), 3)

    def test_capital_letters_count(self):
        self.assertEqual(count_vowels("Aerial IOU"), 7)

    def test_a_text_may_have_none(self):
        self.assertEqual(count_vowels("rhythm"), 0)
        self.assertEqual(count_vowels(""), 0)


if __name__ == "__main__":
    unittest.main()
