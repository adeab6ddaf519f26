import unittest

from textstats import summary


class Summary(unittest.TestCase):
    def test_all_numbers_in_one_line(self):
        self.assertEqual(summary("The quick fox"), "3 words, 4 vowels, longest word: quick")

    def test_a_text_without_words(self):
        self.assertEqual(summary(""), "0 words, 0 vowels, longest word: none")
