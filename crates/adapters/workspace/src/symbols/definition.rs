//! Which syntax nodes define something, and by what name: the one place that knows the grammars.

use tree_sitter::Node;

use super::{Language, SymbolKind};

/// A node that defines something.
#[derive(Debug)]
pub(super) struct Defines {
    /// None for a scope that only lends its name to what is inside (a Rust `impl`).
    pub(super) kind: Option<SymbolKind>,
    pub(super) name: String,
    /// A qualifier that the definition carries itself: a Go receiver, `Class::` in C++.
    pub(super) owner: Option<String>,
}

impl Defines {
    fn new(kind: SymbolKind, name: impl Into<String>) -> Option<Self> {
        let name = name.into();
        (!name.is_empty()).then_some(Self { kind: Some(kind), name, owner: None })
    }
}

/// What lies around a node. Carried along: asking a node for its parent searches from the root, which makes
/// long flat files quadratic.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Around<'tree> {
    /// Parent, its parent, and so on.
    pub(super) above: [Option<Node<'tree>>; 4],
    /// Whether a class, trait or the like is the nearest named scope.
    pub(super) in_type: bool,
}

impl<'tree> Around<'tree> {
    /// What lies around the children of `node`.
    pub(super) fn below(self, node: Node<'tree>) -> Self {
        let [first, second, third, _] = self.above;
        Self { above: [Some(node), first, second, third], ..self }
    }

    /// Whether the statement that the node belongs to stands at the top of the file, exported or not.
    fn at_top(self) -> bool {
        for kind in self.above.into_iter().flatten().map(|node| node.kind()) {
            if matches!(kind, "module" | "program" | "source_file") {
                return true;
            }
            if !["_statement", "_declaration", "_list"].iter().any(|end| kind.ends_with(end)) {
                return false;
            }
        }
        false
    }
}

/// What `node` defines, if anything.
pub(super) fn defines(language: Language, node: Node<'_>, text: &str, around: Around<'_>) -> Option<Defines> {
    match language {
        Language::Python => python(node, text, around),
        Language::JavaScript | Language::TypeScript | Language::Tsx => script(node, text, around),
        Language::Rust => rust(node, text, around.in_type),
        Language::Go => go(node, text, around),
        Language::Java => java(node, text),
        Language::C | Language::Cpp => c_family(node, text, around.in_type),
    }
}

fn python(node: Node<'_>, text: &str, around: Around<'_>) -> Option<Defines> {
    match node.kind() {
        "function_definition" => Defines::new(function_or_method(around.in_type), field(node, "name", text)?),
        "class_definition" => Defines::new(SymbolKind::Class, field(node, "name", text)?),
        "assignment" if around.at_top() => {
            let left = node.child_by_field_name("left").filter(|left| left.kind() == "identifier")?;
            Defines::new(SymbolKind::Constant, slice(left, text))
        }
        _ => None,
    }
}

fn script(node: Node<'_>, text: &str, around: Around<'_>) -> Option<Defines> {
    use SymbolKind::{Class, Constant, Declaration, Enum, Function, Interface, Method, Module, Type};
    let name = || field(node, "name", text);
    let value = || node.child_by_field_name("value").is_some_and(is_function_value);
    match node.kind() {
        "function_declaration" | "generator_function_declaration" => Defines::new(Function, name()?),
        "class_declaration" | "abstract_class_declaration" => Defines::new(Class, name()?),
        "method_definition" => Defines::new(Method, name()?),
        "field_definition" if value() => Defines::new(Method, field(node, "property", text)?),
        "public_field_definition" if value() => Defines::new(Method, name()?),
        "function_signature" | "method_signature" | "abstract_method_signature" => {
            Defines::new(Declaration, name()?)
        }
        "interface_declaration" => Defines::new(Interface, name()?),
        "type_alias_declaration" => Defines::new(Type, name()?),
        "enum_declaration" => Defines::new(Enum, name()?),
        "internal_module" | "module" => Defines::new(Module, name()?),
        "variable_declarator" if value() => Defines::new(Function, name()?),
        "variable_declarator" if around.at_top() => {
            let named = node.child_by_field_name("name").filter(|name| name.kind() == "identifier")?;
            Defines::new(Constant, slice(named, text))
        }
        "assignment_expression" if node.child_by_field_name("right").is_some_and(is_function_value) => {
            let left = node.child_by_field_name("left")?;
            let named = left.child_by_field_name("property").unwrap_or(left);
            Defines::new(Function, slice(named, text))
        }
        _ => None,
    }
}

fn is_function_value(node: Node<'_>) -> bool {
    matches!(node.kind(), "arrow_function" | "function_expression" | "generator_function")
}

fn rust(node: Node<'_>, text: &str, in_type: bool) -> Option<Defines> {
    let kind = match node.kind() {
        "function_item" => function_or_method(in_type),
        "function_signature_item" => SymbolKind::Declaration,
        "struct_item" | "union_item" => SymbolKind::Struct,
        "enum_item" => SymbolKind::Enum,
        "trait_item" => SymbolKind::Trait,
        "type_item" | "associated_type" => SymbolKind::Type,
        "mod_item" => SymbolKind::Module,
        "const_item" | "static_item" => SymbolKind::Constant,
        "macro_definition" => SymbolKind::Macro,
        "impl_item" => {
            let named = node.child_by_field_name("type")?;
            let plain = named.child_by_field_name("type").unwrap_or(named);
            return Some(Defines { kind: None, name: slice(plain, text).to_owned(), owner: None });
        }
        _ => return None,
    };
    Defines::new(kind, field(node, "name", text)?)
}

fn go(node: Node<'_>, text: &str, around: Around<'_>) -> Option<Defines> {
    let name = field(node, "name", text);
    match node.kind() {
        "function_declaration" => Defines::new(SymbolKind::Function, name?),
        "method_declaration" => {
            let mut defines = Defines::new(SymbolKind::Method, name?)?;
            let receiver = node.child_by_field_name("receiver")?;
            defines.owner =
                first_of_kind(receiver, "type_identifier").map(|owner| slice(owner, text).to_owned());
            Some(defines)
        }
        "type_spec" | "type_alias" => {
            let kind = match node.child_by_field_name("type")?.kind() {
                "struct_type" => SymbolKind::Struct,
                "interface_type" => SymbolKind::Interface,
                _ => SymbolKind::Type,
            };
            Defines::new(kind, name?)
        }
        "const_spec" | "var_spec" if around.at_top() => Defines::new(SymbolKind::Constant, name?),
        "method_elem" => Defines::new(SymbolKind::Declaration, name?),
        _ => None,
    }
}

fn java(node: Node<'_>, text: &str) -> Option<Defines> {
    let kind = match node.kind() {
        "class_declaration" | "record_declaration" => SymbolKind::Class,
        "interface_declaration" | "annotation_type_declaration" => SymbolKind::Interface,
        "enum_declaration" => SymbolKind::Enum,
        "method_declaration" if node.child_by_field_name("body").is_none() => SymbolKind::Declaration,
        "method_declaration" | "constructor_declaration" | "compact_constructor_declaration" => {
            SymbolKind::Method
        }
        _ => return None,
    };
    Defines::new(kind, field(node, "name", text)?)
}

fn c_family(node: Node<'_>, text: &str, in_type: bool) -> Option<Defines> {
    let with_body = node.child_by_field_name("body").is_some();
    let name = || field(node, "name", text);
    match node.kind() {
        "function_definition" => declared(node, function_or_method(in_type), text),
        "declaration" | "field_declaration" if declares_function(node) => {
            declared(node, SymbolKind::Declaration, text)
        }
        "struct_specifier" | "union_specifier" if with_body => Defines::new(SymbolKind::Struct, name()?),
        "class_specifier" if with_body => Defines::new(SymbolKind::Class, name()?),
        "enum_specifier" if with_body => Defines::new(SymbolKind::Enum, name()?),
        "namespace_definition" => Defines::new(SymbolKind::Module, name()?),
        "alias_declaration" | "concept_definition" => Defines::new(SymbolKind::Type, name()?),
        "preproc_def" | "preproc_function_def" => Defines::new(SymbolKind::Macro, name()?),
        "type_definition" => Defines::new(SymbolKind::Type, slice(innermost(node)?, text)),
        _ => None,
    }
}

/// The name at the end of a chain of pointers, arrays and parameter lists; `A::b` gives its owner too.
fn declared(node: Node<'_>, kind: SymbolKind, text: &str) -> Option<Defines> {
    let mut named = innermost(node)?;
    let mut owners = Vec::new();
    while named.kind() == "qualified_identifier" {
        let scope = named.child_by_field_name("scope");
        owners.extend(scope.map(|scope| slice(scope, text).split('<').next().unwrap_or_default().to_owned()));
        named = named.child_by_field_name("name")?;
    }
    let kind = if owners.is_empty() || kind == SymbolKind::Declaration { kind } else { SymbolKind::Method };
    let mut defines = Defines::new(kind, slice(named, text))?;
    defines.owner = (!owners.is_empty()).then(|| owners.join("."));
    Some(defines)
}

fn innermost(node: Node<'_>) -> Option<Node<'_>> {
    let mut at = node.child_by_field_name("declarator")?;
    loop {
        // A reference or a parenthesis holds its declarator without naming the field.
        let unnamed = || match at.kind() {
            "reference_declarator" | "parenthesized_declarator" => at.named_child(0),
            _ => None,
        };
        match at.child_by_field_name("declarator").or_else(unnamed) {
            Some(next) => at = next,
            None => return Some(at),
        }
    }
}

fn declares_function(node: Node<'_>) -> bool {
    let mut at = node.child_by_field_name("declarator");
    while let Some(node) = at {
        if node.kind() == "function_declarator" {
            return true;
        }
        at = match node.kind() {
            "pointer_declarator" => node.child_by_field_name("declarator"),
            "reference_declarator" => node.named_child(0),
            _ => None,
        };
    }
    false
}

fn function_or_method(in_type: bool) -> SymbolKind {
    if in_type { SymbolKind::Method } else { SymbolKind::Function }
}

fn first_of_kind<'tree>(node: Node<'tree>, kind: &str) -> Option<Node<'tree>> {
    let mut pending = vec![node];
    while let Some(node) = pending.pop() {
        if node.kind() == kind {
            return Some(node);
        }
        let mut cursor = node.walk();
        let mut children: Vec<_> = node.named_children(&mut cursor).collect();
        children.reverse();
        pending.extend(children);
    }
    None
}

fn field<'text>(node: Node<'_>, name: &str, text: &'text str) -> Option<&'text str> {
    node.child_by_field_name(name).map(|child| slice(child, text))
}

/// The text of `node`. Trees are only asked about the text they were made from.
pub(super) fn slice<'text>(node: Node<'_>, text: &'text str) -> &'text str {
    text.get(node.byte_range()).unwrap_or_default()
}
