//! Symbols of every language, and where edits go.

use edgecoder_workspace::symbols::{MAX_TEXT_BYTES, definitions, import_block, references, symbols};

/// One line for each symbol: lines, kind, qualified name, signature.
fn check(path: &str, text: &str, expected: &[&str]) {
    let found: Vec<String> = symbols(path, text)
        .iter()
        .map(|symbol| {
            let lines = format!("{}-{}", symbol.start_line, symbol.end_line);
            let kind = format!("{:?}", symbol.kind).to_lowercase();
            format!("{lines} {kind} {} | {}", symbol.qualified_name(), symbol.signature)
        })
        .collect();
    assert_eq!(found, expected, "{path}");
}

#[test]
fn python() {
    let text = r#"import os
LIMIT = 3

@cache
def top(a: int,
        b=1) -> str:
    """Doc."""
    def inner(): pass
    return a

class Box(Base):
    size = 1

    @property
    async def get(self):
        return 1
"#;
    check(
        "a.py",
        text,
        &[
            "2-2 constant LIMIT | LIMIT = 3",
            "4-9 function top | def top(a: int, b=1) -> str",
            "11-16 class Box | class Box(Base)",
            "14-16 method Box.get | async def get(self)",
        ],
    );
}

#[test]
fn javascript() {
    let text = r#"const fs = require("fs");
export function top(a, b) { return a; }
export default class Box extends Base {
  get(x) { return x; }
  on = () => { return 1; };
}
export const arrow = async (x) => {
  return x;
};
function* gen() {}
exports.named = function (a) {};
"#;
    check(
        "a.jsx",
        text,
        &[
            "1-1 constant fs | const fs = require(\"fs\")",
            "2-2 function top | export function top(a, b)",
            "3-6 class Box | export default class Box extends Base",
            "4-4 method Box.get | get(x)",
            "5-5 method Box.on | on = () =>",
            "7-9 function arrow | export const arrow = async (x) =>",
            "10-10 function gen | function* gen()",
            "11-11 function named | exports.named = function (a)",
        ]
        .map(|line| line.trim_end_matches(" =>")),
    );
}

#[test]
fn typescript() {
    let text = r#"export interface Shape { area(): number; name: string }
export type Id = string | number;
enum Color { Red }
export abstract class Box<T> implements Shape {
  private make(x: T): T { return x; }
  abstract area(): number;
}
namespace Inner { export function deep(a?: number): void {} }
export const go = (x: number): number => x;
declare function outside(x: string): void;
"#;
    let expected = [
        "1-1 interface Shape | export interface Shape",
        "1-1 declaration Shape.area | area(): number",
        "2-2 type Id | export type Id = string | number",
        "3-3 enum Color | enum Color",
        "4-7 class Box | export abstract class Box<T> implements Shape",
        "5-5 method Box.make | private make(x: T): T",
        "6-6 declaration Box.area | abstract area(): number",
        "8-8 module Inner | namespace Inner",
        "8-8 function Inner.deep | export function deep(a?: number): void",
        "9-9 function go | export const go = (x: number): number",
        "10-10 declaration outside | declare function outside(x: string): void",
    ];
    check("a.ts", text, &expected);
    check("a.tsx", "export const App = () => <p>hi</p>;\n", &["1-1 function App | export const App = ()"]);
}

#[test]
fn rust() {
    let text = r#"use std::fmt;
const MAX: usize = 3;
/// Doc.
#[derive(Debug)]
pub struct Box<T> {
    t: T,
}
impl<T> Box<T> {
    pub fn get(&self) -> &T
    where
        T: Sized,
    {
        fn hidden() {}
        &self.t
    }
}
trait Area { fn area(&self) -> f64; fn twice(&self) -> f64 { 2.0 } }
enum E { A }
type Alias = u8;
mod inner { pub async fn deep() {} }
macro_rules! mac { () => {} }
"#;
    check(
        "a.rs",
        text,
        &[
            "2-2 constant MAX | const MAX: usize = 3",
            "4-7 struct Box | pub struct Box<T>",
            "9-15 method Box.get | pub fn get(&self) -> &T where T: Sized",
            "17-17 trait Area | trait Area",
            "17-17 declaration Area.area | fn area(&self) -> f64",
            "17-17 method Area.twice | fn twice(&self) -> f64",
            "18-18 enum E | enum E",
            "19-19 type Alias | type Alias = u8",
            "20-20 module inner | mod inner",
            "20-20 function inner.deep | pub async fn deep()",
            "21-21 macro mac | macro_rules! mac { () => {} }",
        ],
    );
}

#[test]
fn go() {
    let text = r#"package main

import "fmt"

const Max = 3

type Box[T any] struct {
	t T
}

type Area interface {
	Area() float64
}

type Id string

func (b *Box[T]) Get(x int) (T, error) {
	return b.t, nil
}

func main() {}
"#;
    check(
        "a.go",
        text,
        &[
            "5-5 constant Max | const Max = 3",
            "7-9 struct Box | type Box[T any] struct",
            "11-13 interface Area | type Area interface",
            "12-12 declaration Area.Area | Area() float64",
            "15-15 type Id | type Id string",
            "17-19 method Box.Get | func (b *Box[T]) Get(x int) (T, error)",
            "21-21 function main | func main()",
        ],
    );
}

#[test]
fn java() {
    let text = r#"package a.b;
import java.util.List;

@Deprecated
public class Box<T> extends Base implements Area {
    private int n;
    public Box(int n) { this.n = n; }
    @Override
    public double area() throws E { return n; }
    enum Color { RED }
}
interface Area { double area(); }
record Point(int x, int y) {}
"#;
    check(
        "A.java",
        text,
        &[
            "4-11 class Box | @Deprecated public class Box<T> extends Base implements Area",
            "7-7 method Box.Box | public Box(int n)",
            "8-9 method Box.area | @Override public double area() throws E",
            "10-10 enum Box.Color | enum Color",
            "12-12 interface Area | interface Area",
            "12-12 declaration Area.area | double area()",
            "13-13 class Point | record Point(int x, int y)",
        ],
    );
}

#[test]
fn c() {
    let text = r#"#include <stdio.h>
#define MAX 3
struct box { int n; };
typedef unsigned int id_t2;
enum color { RED };
static char *name(const struct box *b, int (*f)(int));
int main(int argc, char **argv)
{
    return 0;
}
"#;
    check(
        "a.c",
        text,
        &[
            "2-2 macro MAX | #define MAX 3",
            "3-3 struct box | struct box",
            "4-4 type id_t2 | typedef unsigned int id_t2",
            "5-5 enum color | enum color",
            "6-6 declaration name | static char *name(const struct box *b, int (*f)(int))",
            "7-10 function main | int main(int argc, char **argv)",
        ],
    );
}

#[test]
fn cpp() {
    let text = r#"#include "a.h"
namespace geo {
template <typename T>
class Box : public Base {
 public:
  T get() const { return t; }
  void set(T t);
 private:
  T t;
};
using Id = int;
}
template <typename T> T twice(T a) { return a; }
void geo::Box<int>::set(int t) { this->t = t; }
int &ref(int &a) { return a; }
"#;
    check(
        "a.cpp",
        text,
        &[
            "2-12 module geo | namespace geo",
            "3-10 class geo.Box | template <typename T> class Box : public Base",
            "6-6 method geo.Box.get | T get() const",
            "7-7 declaration geo.Box.set | void set(T t)",
            "11-11 type geo.Id | using Id = int",
            "13-13 function twice | template <typename T> T twice(T a)",
            "14-14 method geo.Box.set | void geo::Box<int>::set(int t)",
            "15-15 function ref | int &ref(int &a)",
        ],
    );
}

#[test]
fn broken_unknown_and_endless_texts_are_survived() {
    check(
        "a.py",
        "def ok():\n    pass\n\ndef broken(:\n  pass\n\nclass C:\n  def m(self): pass\n",
        &[
            "1-2 function ok | def ok()",
            "4-5 function broken | def broken(",
            "7-8 class C | class C",
            "8-8 method C.m | def m(self)",
        ],
    );
    check("README.md", "def a(): pass", &[]);
    check("a.py", &"x = 1\n".repeat(MAX_TEXT_BYTES / 6 + 1), &[]);
    let deep = format!("x = {}{}", "(".repeat(50_000), ")".repeat(50_000));
    assert!(symbols("a.py", &deep).len() <= 1);
    check("a.rs", "", &[]);
}

#[test]
fn long_flat_files_take_no_longer_than_their_length() {
    // Quadratic work would take minutes here.
    let flat = |line: &str| line.repeat(MAX_TEXT_BYTES / line.len() - 1);
    for (path, line) in
        [("a.py", "x = 1\n"), ("a.rs", "#[a]\nfn f() {}\n"), ("a.js", "let x = 1\n"), ("a.c", "int f();\n")]
    {
        assert!(symbols(path, &flat(line)).len() > 50_000, "{path}");
    }
}

#[test]
fn references_count_every_mention() {
    let found = references("a.py", "def area(box):\n    return box.width * box.height + area(x)\n");
    let found: Vec<_> = found.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(found, [("area", 2), ("box", 3), ("height", 1), ("width", 1)]);
}

/// What a replacement of `name` would replace, and where its type grows.
fn check_definition(path: &str, text: &str, name: &str, expected: &str, indent: &str) {
    let found = definitions(path, text, name);
    assert_eq!(found.len(), 1, "{name}: {found:?}");
    let symbol = &found[0].symbol;
    assert_eq!(&text[symbol.start_byte..symbol.end_byte], expected, "{name}");
    assert_eq!(found[0].indent, indent, "{name}");
}

#[test]
fn a_definition_is_found_whole() {
    let py = "class A:\n    @p\n    def m(self):\n        \"\"\"Doc.\"\"\"\n        return 1\n\n    x = 1\n\nclass B:\n    def m(self): pass\n";
    let whole = "@p\n    def m(self):\n        \"\"\"Doc.\"\"\"\n        return 1";
    check_definition("a.py", py, "A.m", whole, "    ");
    check_definition("a.py", py, "B.m", "def m(self): pass", "    ");
    assert_eq!(definitions("a.py", py, "m").len(), 2);
    assert_eq!(definitions("a.py", py, "absent").len(), 0);
    let rs = "/// Doc.\n/// More.\n#[inline]\npub fn f() {}\n\nimpl A {\n    fn g(&self) {}\n}\n";
    check_definition("a.rs", rs, "f", "#[inline]\npub fn f() {}", "");
    check_definition("a.rs", rs, "A::g", "fn g(&self) {}", "    ");
    assert_eq!(definitions("a.rs", rs, "f")[0].comment_start_byte, 0);
    let js = "// about\nexport const f = () => {\n  return 1;\n};\n";
    check_definition("a.js", js, "f", "export const f = () => {\n  return 1;\n};", "");
    assert_eq!(definitions("a.js", js, "f")[0].comment_start_byte, 0);
}

#[test]
fn a_type_grows_before_the_line_that_closes_it() {
    for (path, text, name, after) in [
        ("a.py", "class A:\n    def m(self):\n        pass\n\nx = 1\n", "A", "        pass\n"),
        ("a.py", "class A:\n    pass", "A", "    pass"),
        ("A.java", "class A {\n    int n;\n}\n", "A", "    int n;\n"),
        ("a.ts", "interface A { n: number }\n", "A", "n: number "),
    ] {
        let at = definitions(path, text, name)[0].append_byte.unwrap();
        assert!(text[..at].ends_with(after), "{path}: {:?}", &text[..at]);
    }
    assert_eq!(definitions("a.py", "def f(): pass\n", "f")[0].append_byte, None);
}

/// A `^` in `marked` shows where a further import goes.
fn check_imports(path: &str, marked: &str) {
    let expected = marked.find('^').unwrap();
    let text = marked.replacen('^', "", 1);
    assert_eq!(import_block(path, &text).unwrap().end_byte, expected, "{path}: {marked}");
}

#[test]
fn a_further_import_goes_after_the_last_one() {
    check_imports(
        "a.py",
        "#!/usr/bin/env python\n\"\"\"Doc.\"\"\"\nimport a\nfrom b import (\n  c,\n)\n^\nimport_me = 1\n",
    );
    check_imports("a.py", "\"\"\"Doc.\"\"\"\n^x = 1\n");
    check_imports("a.py", "# About f.\n^def f(): pass\n".replace('^', "").replacen('#', "^#", 1).as_str());
    check_imports("a.py", "# Licence.\n^\n# About f.\ndef f(): pass\n");
    check_imports("a.js", "\"use strict\";\nimport a from 'a';\nconst b = require('b');\n^\nconst c = 1;\n");
    check_imports("a.rs", "//! Why.\n^\nfn f() {}\n");
    check_imports("a.rs", "//! Why.\n\nuse a::b;\nuse c;\n^\nfn f() {}\n");
    check_imports("a.go", "package a\n\nimport (\n\t\"fmt\"\n)\n^\nfunc f() {}\n");
    check_imports("a.go", "package a\n^\nfunc f() {}\n");
    check_imports("A.java", "package a;\nimport b.C;\n^class A {}\n");
    check_imports("a.c", "#include <a.h>\n#include \"b.h\"\n^\nint x;\n");
    check_imports("a.h", "#ifndef A_H\n#define A_H\n#include <a.h>\n^int x;\n#endif\n");
    check_imports("a.ts", "^const x = 1;\n");
    assert_eq!(import_block("a.md", "x"), None);
}
