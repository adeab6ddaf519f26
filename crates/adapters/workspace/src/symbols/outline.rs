//! Walks a syntax tree once, in the order of the text, and collects definitions and mentions. Iterative:
//! the depth of the nesting is chosen by whoever wrote the file.

use std::rc::Rc;

use tree_sitter::Node;

use super::definition::{Around, defines, slice};
use super::{Language, Outline, Symbol, SymbolKind};

/// Longest signature shown, characters.
const MAX_SIGNATURE_CHARS: usize = 200;

/// A node to look at, with what is around it.
struct Visit<'tree> {
    node: Node<'tree>,
    around: Around<'tree>,
    /// The first of the attributes directly before it: Rust writes them as siblings.
    attributes: Option<Node<'tree>>,
    parent: Option<Rc<str>>,
    in_function: bool,
}

pub(super) fn read(path: &str, text: &str) -> Option<Outline> {
    let language = Language::of_path(path)?;
    let tree = language.parse(text)?;
    let mut outline = Outline::default();
    let (node, around) = (tree.root_node(), Around::default());
    let mut pending = vec![Visit { node, around, attributes: None, parent: None, in_function: false }];
    while let Some(mut visit) = pending.pop() {
        mention(visit.node, text, &mut outline);
        let defined =
            if visit.in_function { None } else { defines(language, visit.node, text, visit.around) };
        if let Some(defined) = defined {
            let parent = joined(visit.parent.as_deref(), defined.owner.as_deref());
            let within = joined(parent.as_deref(), Some(&defined.name));
            if let Some(kind) = defined.kind {
                outline.symbols.push(symbol(&visit, text, defined.name, kind, parent));
            }
            visit.in_function = is_function(defined.kind);
            visit.around.in_type = defined.kind != Some(SymbolKind::Module);
            visit.parent = within.map(Rc::from);
        }
        children(&visit, &mut pending);
    }
    Some(outline)
}

fn children<'tree>(visit: &Visit<'tree>, pending: &mut Vec<Visit<'tree>>) {
    let from = pending.len();
    let mut attributes = None;
    let mut cursor = visit.node.walk();
    for node in visit.node.named_children(&mut cursor) {
        let (around, parent) = (visit.around.below(visit.node), visit.parent.clone());
        pending.push(Visit { node, around, attributes, parent, in_function: visit.in_function });
        attributes = (node.kind() == "attribute_item").then(|| attributes.unwrap_or(node));
    }
    pending[from..].reverse();
}

fn mention(node: Node<'_>, text: &str, outline: &mut Outline) {
    if node.child_count() == 0 && node.kind().ends_with("identifier") {
        let name = slice(node, text);
        // One letter says nothing about what a file is about.
        if name.len() > 1 {
            *outline.references.entry(name.to_owned()).or_default() += 1;
        }
    }
}

const fn is_function(kind: Option<SymbolKind>) -> bool {
    matches!(
        kind,
        Some(SymbolKind::Function | SymbolKind::Method | SymbolKind::Declaration | SymbolKind::Macro)
    )
}

fn joined(parent: Option<&str>, name: Option<&str>) -> Option<String> {
    match (parent, name) {
        (Some(parent), Some(name)) => Some(format!("{parent}.{name}")),
        (Some(one), None) | (None, Some(one)) => Some(one.to_owned()),
        (None, None) => None,
    }
}

fn symbol(visit: &Visit<'_>, text: &str, name: String, kind: SymbolKind, parent: Option<String>) -> Symbol {
    let outer = whole(visit);
    let first = visit.attributes.unwrap_or(outer);
    let start_byte = first.start_byte();
    let end_byte = start_byte + text[start_byte..outer.end_byte()].trim_end().len();
    let start_line = first.start_position().row + 1;
    Symbol {
        name,
        kind,
        signature: signature(visit.node, outer, text),
        start_line,
        end_line: start_line + text[start_byte..end_byte].matches('\n').count(),
        start_byte,
        end_byte,
        parent,
    }
}

/// The statement around a definition that exists only for it: decorators, `export`, `template`, `const`.
fn whole<'tree>(visit: &Visit<'tree>) -> Node<'tree> {
    let only_for_it = |node: &Node<'_>| match node.kind() {
        "decorated_definition" | "export_statement" | "template_declaration" | "ambient_declaration" => true,
        "expression_statement"
        | "lexical_declaration"
        | "variable_declaration"
        | "type_declaration"
        | "const_declaration"
        | "var_declaration" => node.named_child_count() == 1,
        _ => false,
    };
    visit.around.above.into_iter().flatten().take_while(only_for_it).last().unwrap_or(visit.node)
}

/// From the definition to its body, white space folded; a definition without a body gives its first line.
fn signature(node: Node<'_>, outer: Node<'_>, text: &str) -> String {
    let value = node.child_by_field_name("value").or_else(|| node.child_by_field_name("right"));
    let body = node
        .child_by_field_name("body")
        .or_else(|| value.and_then(|value| value.child_by_field_name("body")))
        .or_else(|| {
            node.child_by_field_name("type")
                .filter(|kind| kind.kind().ends_with("_type"))
                .and_then(first_brace)
        });
    // Decorators belong to the symbol, not to its signature.
    let start = if outer.kind() == "decorated_definition" { node } else { outer }.start_byte();
    let text = match body {
        Some(body) if body.start_byte() > start => &text[start..body.start_byte()],
        _ => text[start..outer.end_byte()].lines().next().unwrap_or_default(),
    };
    let folded = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let trimmed = folded.trim_end_matches(['{', ':', ' ', ';', ',']);
    trimmed.trim_end_matches("=>").trim_end().chars().take(MAX_SIGNATURE_CHARS).collect()
}

/// Go keeps the fields of a struct below its type.
fn first_brace(node: Node<'_>) -> Option<Node<'_>> {
    let mut cursor = node.walk();
    node.children(&mut cursor).find(|child| child.kind() == "{" || child.kind() == "field_declaration_list")
}
