//! Which provider is used when the settings leave the choice: pure rules that give their reasons.

use edgecoder_inference::discover::Found;

use super::spec::{EngineSpec, same_model};

/// Slower engines keep a person waiting longer than an editor does.
const USABLE_TOKENS_PER_S: f64 = 5.0;

/// What was chosen, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The engine.
    pub spec: EngineSpec,
    /// The reason, for people.
    pub reason: String,
}

/// How an engine did with a few short questions.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The engine.
    pub spec: EngineSpec,
    /// Questions answered rightly.
    pub right: u32,
    /// Questions asked.
    pub asked: u32,
    /// Time until the first text of the fastest answer, milliseconds.
    pub first_text_ms: Option<u64>,
    /// Tokens written in a second, over all answers.
    pub tokens_per_s: Option<f64>,
    /// Why it could not be measured.
    pub trouble: Option<String>,
}

impl Measured {
    fn usable(&self) -> bool {
        self.trouble.is_none() && self.tokens_per_s.is_some_and(|speed| speed >= USABLE_TOKENS_PER_S)
    }
}

/// The model of a server that would be used: the wanted one where it has it, else its first.
pub(super) fn candidate(found: &Found, wanted: Option<&str>) -> Option<EngineSpec> {
    let kind = found.kind?;
    let named = wanted.and_then(|wanted| found.models.iter().find(|model| same_model(model, wanted)));
    let model = named.or_else(|| found.models.first())?;
    Some(EngineSpec::server(kind, &found.url, model))
}

/// The place of a provider in the order; those that are not named come last.
fn rank(order: &[String], spec: &EngineSpec) -> usize {
    order.iter().position(|name| name == spec.provider.name()).unwrap_or(order.len())
}

/// The first provider of the order that is there and has a model; the present one where nothing better is.
pub(super) fn by_order(
    order: &[String],
    found: &[Found],
    wanted: Option<&str>,
    present: &EngineSpec,
) -> Choice {
    let candidates = found.iter().filter_map(|found| candidate(found, wanted)).chain([present.clone()]);
    let known = candidates.filter(|spec| rank(order, spec) < order.len());
    match known.min_by_key(|spec| rank(order, spec)) {
        Some(spec) if spec != *present => {
            let reason =
                format!("{} is the first of {} that is there", spec.provider.name(), order.join(", "));
            Choice { spec, reason }
        }
        Some(_) | None => {
            let reason = "no provider that stands before it has a model".to_owned();
            Choice { spec: present.clone(), reason }
        }
    }
}

/// Of those fast enough, the one with the most right answers; among equals the order of the settings decides, not
/// the speed: a tiny model is always the fastest.
pub(super) fn by_measure(order: &[String], measured: &[Measured], present: &EngineSpec) -> Choice {
    let usable = measured.iter().filter(|measured| measured.usable());
    let best = usable.min_by_key(|measured| (std::cmp::Reverse(measured.right), rank(order, &measured.spec)));
    match best {
        Some(best) => {
            let Measured { right, asked, .. } = best;
            let speed = best.tokens_per_s.unwrap_or_default();
            let reason = format!("{right} of {asked} questions right at {speed:.0} tokens a second");
            Choice { spec: best.spec.clone(), reason }
        }
        None => {
            let reason = format!("none wrote {USABLE_TOKENS_PER_S} tokens a second; the present one stays");
            Choice { spec: present.clone(), reason }
        }
    }
}

#[cfg(test)]
mod tests {
    use edgecoder_inference::discover::ServerKind;

    use super::*;

    fn order(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn found(kind: Option<ServerKind>, models: &[&str]) -> Found {
        Found {
            url: "http://s".into(),
            kind,
            version: None,
            models: order(models),
            answered_ms: Some(1),
            trouble: None,
        }
    }

    #[test]
    fn the_order_of_the_settings_decides_among_what_is_there() {
        let present = EngineSpec::local("tiny", "/t");
        let check = |names: &[&str], there: &[Found], wanted: Option<&str>, provider: &str, model: &str| {
            let choice = by_order(&order(names), there, wanted, &present);
            assert_eq!((choice.spec.provider.name(), choice.spec.model.as_str()), (provider, model));
            assert!(!choice.reason.is_empty());
        };
        let both = [
            found(Some(ServerKind::LmStudio), &["a"]),
            found(Some(ServerKind::Ollama), &["q:7b", "r:latest"]),
        ];
        let usual = ["ollama", "lm_studio", "local"];
        check(&usual, &both, None, "ollama", "q:7b");
        check(&usual, &both, Some("r"), "ollama", "r:latest");
        check(&usual, &both, Some("nobody has it"), "ollama", "q:7b");
        check(&["lm_studio", "ollama"], &both, None, "lm_studio", "a");
        check(&["local", "ollama"], &both, None, "local", "tiny");
        check(&["vllm"], &both, None, "local", "tiny");
        check(&usual, &[found(Some(ServerKind::Ollama), &[]), found(None, &["x"])], None, "local", "tiny");
        check(&usual, &[], None, "local", "tiny");
    }

    #[test]
    fn right_answers_count_more_than_speed_and_speed_must_be_bearable() {
        let present = EngineSpec::local("tiny", "/t");
        let one = |kind, right, speed: Option<f64>, trouble: Option<&str>| Measured {
            spec: EngineSpec::server(kind, "http://s", "m"),
            right,
            asked: 3,
            first_text_ms: None,
            tokens_per_s: speed,
            trouble: trouble.map(str::to_owned),
        };
        let tiny = Measured { spec: present.clone(), ..one(ServerKind::Openai, 2, Some(900.0), None) };
        let usual = order(&["ollama", "lm_studio", "local"]);
        let check = |measured: &[Measured], provider: &str| {
            assert_eq!(by_measure(&usual, measured, &present).spec.provider.name(), provider);
        };
        let (ollama, studio) = (ServerKind::Ollama, ServerKind::LmStudio);
        check(&[tiny.clone(), one(ollama, 3, Some(20.0), None)], "ollama");
        check(&[tiny.clone(), one(ollama, 3, Some(1.0), None)], "local");
        check(&[tiny.clone(), one(ollama, 3, Some(20.0), Some("it broke off"))], "local");
        check(&[one(studio, 3, Some(90.0), None), one(ollama, 3, Some(20.0), None)], "ollama");
        check(&[tiny, one(ollama, 2, Some(20.0), None)], "ollama");
        check(&[one(ollama, 3, None, None)], "local");
        check(&[], "local");
    }
}
