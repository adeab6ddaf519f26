//! Opened with its first content.
