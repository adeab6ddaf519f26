"""Small numbers about a text."""

from textstats.counts import count_vowels, count_words, longest_word
from textstats.report import summary

__all__ = ["count_vowels", "count_words", "longest_word", "summary"]
