//! One pass over a syntax tree that keeps only what the checks ask about.

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

/// A function's name and extent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    /// From `fn` to the closing brace, attributes and docs not counted.
    pub(crate) lines: usize,
    pub(crate) is_test: bool,
}

/// A name that somebody chose, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) line: usize,
}

/// What a file contains, as far as tidy cares.
#[derive(Debug, Default)]
pub(crate) struct Outline {
    pub(crate) functions: Vec<Function>,
    /// Structs, enums, unions, traits and aliases.
    pub(crate) types: Vec<Named>,
    pub(crate) modules: Vec<Named>,
    /// `todo!`, `unimplemented!` and `#[ignore]`.
    pub(crate) postponed: Vec<Named>,
    /// Names of `#[cfg(test)] mod name;`.
    pub(crate) test_modules: Vec<String>,
    /// Lines inside test items.
    pub(crate) test_lines: usize,
    test_depth: usize,
}

impl Outline {
    pub(crate) fn of(text: &str) -> syn::Result<Self> {
        let mut outline = Self::default();
        outline.visit_file(&syn::parse_file(text)?);
        Ok(outline)
    }

    fn function(&mut self, attrs: &[syn::Attribute], sig: &syn::Signature, end: proc_macro2::Span) {
        let line = sig.span().start().line;
        let is_test = self.test_depth > 0 || attrs.iter().any(is_test_attribute);
        let lines = end.end().line.saturating_sub(line).saturating_add(1);
        self.functions.push(Function { name: sig.ident.to_string(), line, lines, is_test });
    }

    fn named_type(&mut self, ident: &syn::Ident) {
        self.types.push(Named { name: ident.to_string(), line: ident.span().start().line });
    }
}

impl<'ast> Visit<'ast> for Outline {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let enters = is_test_item(item);
        if enters && self.test_depth == 0 {
            let span = item.span();
            self.test_lines = self.test_lines.saturating_add(span.end().line - span.start().line + 1);
        }
        self.test_depth += usize::from(enters);
        visit::visit_item(self, item);
        self.test_depth -= usize::from(enters);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let name = item.ident.to_string();
        if item.content.is_none() && self.test_depth > 0 {
            self.test_modules.push(name.clone());
        }
        self.modules.push(Named { name, line: item.ident.span().start().line });
        visit::visit_item_mod(self, item);
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.attrs, &item.sig, item.block.span());
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.attrs, &item.sig, item.block.span());
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.function(&item.attrs, &item.sig, block.span());
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.named_type(&item.ident);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.named_type(&item.ident);
    }

    fn visit_item_union(&mut self, item: &'ast syn::ItemUnion) {
        self.named_type(&item.ident);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.named_type(&item.ident);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.named_type(&item.ident);
        visit::visit_item_trait(self, item);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        if let Some(last) = call.path.segments.last()
            && (last.ident == "todo" || last.ident == "unimplemented")
        {
            self.postponed.push(Named { name: format!("{}!", last.ident), line: call.span().start().line });
        }
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if attribute.path().is_ident("ignore") {
            self.postponed.push(Named { name: "#[ignore]".into(), line: attribute.span().start().line });
        }
    }
}

fn is_test_item(item: &syn::Item) -> bool {
    let attrs: &[syn::Attribute] = match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::ExternCrate(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::ForeignMod(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::TraitAlias(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Union(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        syn::Item::Verbatim(_) | _ => &[],
    };
    attrs.iter().any(is_test_attribute)
}

/// `#[test]`, `#[tokio::test]`, `#[cfg(test)]`, `#[cfg(any(test, …))]`, but not `#[cfg(not(test))]`.
fn is_test_attribute(attribute: &syn::Attribute) -> bool {
    if attribute.path().is_ident("cfg") {
        return attribute
            .meta
            .require_list()
            .is_ok_and(|list| mentions(&list.tokens, "test") && !mentions(&list.tokens, "not"));
    }
    attribute.path().segments.last().is_some_and(|segment| segment.ident == "test")
}

fn mentions(tokens: &TokenStream, word: &str) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == word,
        TokenTree::Group(group) => mentions(&group.stream(), word),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_measured_without_their_attributes() {
        let outline = Outline::of("/// Doc.\n#[inline]\nfn f() {\n    g();\n}\n").unwrap();
        assert_eq!(outline.functions, [Function { name: "f".into(), line: 3, lines: 3, is_test: false }]);
    }

    #[test]
    fn test_code_is_told_apart() {
        let check = |text: &str, expected: bool| {
            let outline = Outline::of(text).unwrap();
            assert_eq!(outline.functions[0].is_test, expected, "{text}");
        };
        check("fn f() {}", false);
        check("#[test] fn f() {}", true);
        check("#[tokio::test(start_paused = true)] async fn f() {}", true);
        check("#[cfg(test)] mod t { fn f() {} }", true);
        check("#[cfg(any(test, feature = \"test-support\"))] mod t { fn f() {} }", true);
        check("#[cfg(not(test))] mod t { fn f() {} }", false);
    }

    #[test]
    fn postponed_work_is_found() {
        let text = format!("#[{}]\nfn f() {{ {}!() }}\nfn g() {{ todo() }}", "ignore", "todo");
        let outline = Outline::of(&text).unwrap();
        let names: Vec<&str> = outline.postponed.iter().map(|found| found.name.as_str()).collect();
        assert_eq!(names, ["#[ignore]", "todo!"]);
    }
}
