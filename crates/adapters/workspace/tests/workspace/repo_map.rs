//! What a map shows for a request, within its budget.

use edgecoder_workspace::RepoMap;

const FILES: &[(&str, &str)] = &[
    ("README.md", "An invoice program. It prints invoices.\n"),
    (
        "app/invoice.py",
        "from app.tax import vat_rate\n\ndef total(items):\n    return sum(items) * vat_rate()\n",
    ),
    ("app/main.py", "from app.invoice import total\n\ndef main():\n    print(total([]))\n"),
    ("app/tax.py", "def vat_rate():\n    return 1.2\n\ndef unused_rate():\n    return 1\n"),
    ("web/style.ts", "export function paint(colour: string) { return colour; }\n"),
];

fn map() -> RepoMap {
    RepoMap::build(FILES.iter().rev().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())))
}

/// The first files for `request`.
fn check(request: &str, expected: &[&str]) {
    let ranking = map().rank(request);
    let found: Vec<&str> = ranking.files.iter().map(|file| file.path.as_str()).take(expected.len()).collect();
    assert_eq!(found, expected, "{request}");
    let total: f64 = ranking.files.iter().map(|file| file.score).sum();
    assert!((total - 1.0).abs() < 1e-9, "{total}");
}

#[test]
fn words_names_and_paths_lead_to_files() {
    check("the colour is painted wrong", &["web/style.ts"]);
    check("fix vat_rate", &["app/tax.py"]);
    check("add a docstring to main.py", &["app/main.py"]);
}

#[test]
fn interest_flows_to_what_is_used() {
    check("the total of an invoice is wrong", &["app/invoice.py"]);
    let ranking = map().rank("look at app/invoice.py");
    let at = |path| ranking.files.iter().position(|file| file.path == path).unwrap();
    assert!(at("app/tax.py") < at("web/style.ts"), "{ranking:?}");
}

#[test]
fn a_request_without_any_clue_still_lists_everything() {
    assert_eq!(map().rank("").files.len(), FILES.len());
    assert_eq!(RepoMap::build(std::iter::empty()).rank("x").render(100), "");
}

#[test]
fn the_map_is_compact_and_the_same_each_time() {
    let expected = "app/tax.py\n  1: def vat_rate()\n  4: def unused_rate()\n";
    let shown = map().rank("fix vat_rate").render(4000);
    assert!(shown.starts_with(expected), "{shown}");
    assert_eq!(map().rank("fix vat_rate").render(4000), shown);
}

#[test]
fn the_budget_is_never_passed() {
    let ranking = map().rank("fix vat_rate");
    for budget in 0..400 {
        let shown = ranking.render(budget);
        assert!(shown.chars().count() <= budget, "{budget}: {shown}");
    }
    assert_eq!(ranking.render(64), "app/tax.py\n  1: def vat_rate()\n… 4 more files\n");
}
