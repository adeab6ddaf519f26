"""A text in one line."""

from textstats.counts import count_vowels, count_words, longest_word


def summary(s):
    """One line for people."""
    longest = longest_word(s) or "none"
    return f"{count_words(s)} words, {count_vowels(s)} vowels, longest word: {longest}"
