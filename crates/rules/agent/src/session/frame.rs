//! What the model is told before the person speaks.

/// Longest name of a project that is repeated.
const NAME_CHARS: usize = 60;

/// The frame for work on a project of that name.
pub fn frame(project: &str) -> String {
    let name: String = project.chars().filter(|c| !c.is_control()).take(NAME_CHARS).collect();
    include_str!("../../prompts/session.md").trim_end().replace("{project}", &name)
}
