//! Which actions wait for a person. An action has a class, the settings have a ruling for each class, and a session's
//! mode may loosen what only asks; what the settings deny stays denied.

use serde::{Deserialize, Serialize};

/// What an action could do, the gravest thing it could do. In order of gravity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalClass {
    /// It looks at files of the project that hold no secrets.
    Read,
    /// It changes files of the project, its branches or its history.
    Write,
    /// It runs a program in the sandbox, where it can change nothing outside.
    Execute,
    /// It lets something of the project leave this process: another node, a server of the person's.
    Network,
    /// It changes what runs by itself or decides what runs (hooks, settings of editors, build files, dependencies), or
    /// shows or sends what looks like a secret.
    Protected,
}

impl ApprovalClass {
    /// Every class.
    pub const ALL: [Self; 5] = [Self::Read, Self::Write, Self::Execute, Self::Network, Self::Protected];

    /// The published name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Execute => "execute",
            Self::Network => "network",
            Self::Protected => "protected",
        }
    }
}

/// What the settings say of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// Each action waits for a person.
    Ask,
    /// It is done.
    Allow,
    /// It is never done.
    Deny,
}

/// How freely one session works, as the person of that session chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// As the settings say.
    #[default]
    Ask,
    /// Ordinary files are changed without asking.
    Edit,
    /// Nothing is changed, run or sent.
    Read,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Ask, Self::Edit, Self::Read];

    /// The published name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Edit => "edit",
            Self::Read => "read",
        }
    }

    /// The mode of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == name)
    }
}

/// A ruling for each class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApprovalRules {
    /// For [`ApprovalClass::Read`].
    pub read: Ruling,
    /// For [`ApprovalClass::Write`].
    pub write: Ruling,
    /// For [`ApprovalClass::Execute`].
    pub execute: Ruling,
    /// For [`ApprovalClass::Network`].
    pub network: Ruling,
    /// For [`ApprovalClass::Protected`]. `Allow` counts as `Ask`: these are never done unseen.
    pub protected: Ruling,
}

impl Default for ApprovalRules {
    fn default() -> Self {
        Self {
            read: Ruling::Allow,
            write: Ruling::Ask,
            execute: Ruling::Ask,
            network: Ruling::Ask,
            protected: Ruling::Ask,
        }
    }
}

impl ApprovalRules {
    /// What is done about an action of `class` in a session of `mode`.
    pub const fn ruling(&self, class: ApprovalClass, mode: Mode) -> Ruling {
        let said = match class {
            ApprovalClass::Read => self.read,
            ApprovalClass::Write => self.write,
            ApprovalClass::Execute => self.execute,
            ApprovalClass::Network => self.network,
            ApprovalClass::Protected => self.protected,
        };
        match (said, class, mode) {
            (Ruling::Deny, _, _) => Ruling::Deny,
            (said, ApprovalClass::Read, _) => said,
            (_, _, Mode::Read) => Ruling::Deny,
            (_, ApprovalClass::Protected, _) => Ruling::Ask,
            (Ruling::Ask, ApprovalClass::Write, Mode::Edit) => Ruling::Allow,
            (said, _, _) => said,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rules: ApprovalRules, class: ApprovalClass, mode: Mode, expected: Ruling) {
        assert_eq!(rules.ruling(class, mode), expected, "{class:?} {mode:?}");
    }

    #[test]
    fn what_the_settings_say_holds_and_a_mode_only_loosens_ordinary_edits() {
        use ApprovalClass as Class;
        let usual = ApprovalRules::default();
        check(usual, Class::Read, Mode::Ask, Ruling::Allow);
        for class in [Class::Write, Class::Execute, Class::Network, Class::Protected] {
            check(usual, class, Mode::Ask, Ruling::Ask);
            check(usual, class, Mode::Read, Ruling::Deny);
        }
        check(usual, Class::Write, Mode::Edit, Ruling::Allow);
        for class in [Class::Execute, Class::Network, Class::Protected] {
            check(usual, class, Mode::Edit, Ruling::Ask);
        }
    }

    #[test]
    fn a_denial_stands_in_every_mode_and_the_protected_are_never_done_unseen() {
        let all = |ruling| ApprovalRules {
            read: ruling,
            write: ruling,
            execute: ruling,
            network: ruling,
            protected: ruling,
        };
        for mode in Mode::ALL {
            for class in ApprovalClass::ALL {
                check(all(Ruling::Deny), class, mode, Ruling::Deny);
            }
        }
        check(all(Ruling::Allow), ApprovalClass::Protected, Mode::Ask, Ruling::Ask);
        check(all(Ruling::Allow), ApprovalClass::Protected, Mode::Edit, Ruling::Ask);
        check(all(Ruling::Allow), ApprovalClass::Execute, Mode::Ask, Ruling::Allow);
        assert_eq!(Mode::ALL.map(|mode| Mode::named(mode.as_str())), Mode::ALL.map(Some));
    }
}
