//! Which declared tool (or parameter) a written name means: exactly, nearly, or not surely.

use super::Tool;

/// What a written name means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meant {
    /// Character by character.
    Exactly(usize),
    /// The only one so near.
    Nearly(usize),
    /// Several are as near.
    Unsure(Vec<usize>),
    /// None is near.
    Nothing,
}

impl Meant {
    /// The position, however it was found.
    pub(super) fn index(&self) -> Option<usize> {
        match self {
            Self::Exactly(at) | Self::Nearly(at) => Some(*at),
            Self::Unsure(_) | Self::Nothing => None,
        }
    }
}

/// The tool that `written` means.
pub(super) fn tool(written: &str, tools: &[Tool]) -> Meant {
    let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
    let found = meant(written, &names);
    if found != Meant::Nothing {
        return found;
    }
    // "functions.read_file", "mcp/read_file", "read_file.call", "read_file()"
    let bare = written.trim().trim_end_matches("()").trim_end_matches(".call");
    let last = bare.rsplit(['.', '/', ':']).next().unwrap_or(bare);
    let found = meant(last, &names);
    found.index().map_or(found, Meant::Nearly)
}

/// The tool of exactly this name, but for case and separators.
pub(super) fn same(written: &str, tools: &[Tool]) -> Option<usize> {
    let wanted = plain(written);
    let mut found = tools.iter().enumerate().filter(|(_, tool)| plain(&tool.name) == wanted);
    match (found.next(), found.next()) {
        (Some((at, _)), None) if !wanted.is_empty() => Some(at),
        _ => tools.iter().position(|tool| tool.name == written),
    }
}

/// Which of `names` is meant by `written`.
pub(super) fn meant(written: &str, names: &[&str]) -> Meant {
    if let Some(at) = names.iter().position(|name| *name == written) {
        return Meant::Exactly(at);
    }
    let wanted = plain(written);
    if wanted.is_empty() {
        return Meant::Nothing;
    }
    let same: Vec<usize> = (0..names.len()).filter(|at| plain(names[*at]) == wanted).collect();
    match same[..] {
        [] => nearest(&wanted, names),
        [at] => Meant::Nearly(at),
        _ => Meant::Unsure(same),
    }
}

fn nearest(wanted: &str, names: &[&str]) -> Meant {
    let mut near: Vec<(usize, usize)> = names
        .iter()
        .enumerate()
        .map(|(at, name)| (at, plain(name)))
        .map(|(at, name)| (at, distance(wanted, &name), wanted.chars().count().min(name.chars().count())))
        .filter(|(_, distance, chars)| *distance <= slips(*chars))
        .map(|(at, distance, _)| (distance, at))
        .collect();
    near.sort_unstable();
    match near[..] {
        [] => Meant::Nothing,
        [(_, at)] => Meant::Nearly(at),
        // one slip from one name and two from another: the first is meant
        [(1, at), (2, _), ..] => Meant::Nearly(at),
        _ => Meant::Unsure(near.into_iter().map(|(_, at)| at).collect()),
    }
}

/// Slips allowed in a name of so many characters: short names are too near to each other for any.
fn slips(chars: usize) -> usize {
    match chars {
        0..4 => 0,
        4..8 => 1,
        _ => 2,
    }
}

/// Lower case, letters and digits only.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Insertions, deletions, replacements and swaps of neighbours between two names.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(80).collect(), b.chars().take(80).collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::{Meant, meant};

    #[test]
    fn only_the_one_name_that_is_near_is_meant() {
        let check = |written: &str, names: &[&str], expected: Meant| {
            assert_eq!(meant(written, names), expected, "{written}");
        };
        let files = ["read_file", "write_file", "search"];
        check("read_file", &files, Meant::Exactly(0));
        check("ReadFile", &files, Meant::Nearly(0));
        check("read-file", &files, Meant::Nearly(0));
        check("raed_file", &files, Meant::Nearly(0));
        check("serch", &files, Meant::Nearly(2));
        check("delete_file", &files, Meant::Nothing);
        check("", &files, Meant::Nothing);
        check("read_filez", &["read_file", "read_files"], Meant::Unsure(vec![0, 1]));
        check("run", &["ran", "sum"], Meant::Nothing);
    }
}
