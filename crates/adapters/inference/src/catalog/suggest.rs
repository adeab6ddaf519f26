//! Which model for this machine: a pure function of its memory and speed and of a list of models. Every answer carries its
//! reasons in figures.

use serde::{Deserialize, Serialize};

use super::known::Known;

/// Share of the memory that a model may take, in percent: tests, editors and the system live there too.
const MEMORY_PERCENT: u64 = 75;
/// What an engine takes besides weights and context, bytes.
const OVERHEAD_BYTES: u64 = 400 << 20;
/// Share of the memory's speed that decoding reaches on ordinary processors, in percent.
const BANDWIDTH_PERCENT: u64 = 60;
/// Tokens per second below which a person would rather wait for something smaller.
const FLUENT: f64 = 8.0;
/// Tokens per second above which a finer quantisation is worth its time.
const AMPLE: f64 = 16.0;
/// Spelled out by name, so that the list in the file needs no order.
const FINEST_FIRST: &[&str] = &["Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M"];

/// What is known of a machine's speed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum Speed {
    /// `edgecoder model bench` was run: so many tokens per second with a model of so many bytes.
    Bench {
        /// Bytes that one token reads.
        model_bytes: u64,
        /// Tokens per second, one request alone.
        tokens_per_second: f64,
    },
    /// Bytes per second that were read from memory just now.
    Memory {
        /// Bytes per second.
        bytes_per_second: u64,
    },
}

impl Speed {
    /// Tokens per second with a model that reads `bytes` for each.
    fn tokens_per_second(self, bytes: u64) -> f64 {
        let bytes = float(bytes.max(1));
        match self {
            Self::Bench { model_bytes, tokens_per_second } => tokens_per_second * float(model_bytes) / bytes,
            Self::Memory { bytes_per_second } => float(bytes_per_second / 100 * BANDWIDTH_PERCENT) / bytes,
        }
    }
}

/// What the models would run on, and what is wanted of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Memory of the machine, or of its accelerator, bytes.
    pub memory_bytes: u64,
    /// How fast it is.
    pub speed: Speed,
    /// Window that is wanted, tokens.
    pub context_tokens: u32,
    /// Requests at the same time.
    pub slots: u32,
}

/// How well a model suits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    /// Fits, and answers at reading speed.
    Good,
    /// Fits, but makes a person wait.
    Slow,
    /// Does not fit.
    TooLarge,
}

/// One model with the quantisation to take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Suggestion {
    /// The name to pull.
    pub name: String,
    /// The quantisation to take.
    pub quantisation: String,
    /// Where it comes from.
    pub source: String,
    /// Licence.
    pub license: String,
    /// Approximate bytes of the file.
    pub size_bytes: u64,
    /// Memory it would take, bytes.
    pub memory_bytes: u64,
    /// Expected tokens per second, one request alone.
    pub tokens_per_second: f64,
    /// How well it suits.
    pub fit: Fit,
    /// Why, for a person.
    pub reasons: Vec<String>,
}

/// All models, the best for this machine first.
pub fn suggest(machine: &Machine, models: &[Known]) -> Vec<Suggestion> {
    let mut suggestions: Vec<(u32, Suggestion)> =
        models.iter().filter_map(|model| Some((model.order, best_file(machine, model)?))).collect();
    suggestions.sort_by(|(a_order, a), (b_order, b)| {
        let by_fit = a.fit.cmp(&b.fit);
        let within = match a.fit {
            // What is fluent anyway is judged by its answers, what is slow by its speed, the rest by its size.
            Fit::Good => b_order.cmp(a_order),
            Fit::Slow => b.tokens_per_second.total_cmp(&a.tokens_per_second),
            Fit::TooLarge => a.memory_bytes.cmp(&b.memory_bytes),
        };
        by_fit.then(within)
    });
    suggestions.into_iter().map(|(_, suggestion)| suggestion).collect()
}

/// The finest quantisation that leaves the model ample speed; else the smallest.
fn best_file(machine: &Machine, model: &Known) -> Option<Suggestion> {
    let files = || FINEST_FIRST.iter().filter_map(|quant| Some((*quant, *model.sizes.get(*quant)?)));
    let judged: Vec<Suggestion> = files().map(|(quant, bytes)| judge(machine, model, quant, bytes)).collect();
    let ample = |found: &&Suggestion| found.fit == Fit::Good && found.tokens_per_second >= AMPLE;
    judged.iter().find(ample).or_else(|| judged.last()).cloned()
}

fn judge(machine: &Machine, model: &Known, quant: &str, bytes: u64) -> Suggestion {
    let window = machine.context_tokens.min(model.context_tokens);
    let context = u64::from(window) * u64::from(machine.slots.max(1)) * model.kv_bytes_per_token;
    let memory_bytes = bytes.saturating_add(context).saturating_add(OVERHEAD_BYTES);
    let room = machine.memory_bytes / 100 * MEMORY_PERCENT;
    let read = model.active_parameters.map_or(bytes, |active| share(bytes, active, model.parameters));
    let tokens_per_second = machine.speed.tokens_per_second(read);
    let fit = match (memory_bytes <= room, tokens_per_second >= FLUENT) {
        (false, _) => Fit::TooLarge,
        (true, true) => Fit::Good,
        (true, false) => Fit::Slow,
    };
    let mut reasons = vec![memory_reason(memory_bytes, room, machine, window)];
    if fit != Fit::TooLarge {
        reasons.push(speed_reason(machine.speed, tokens_per_second));
    }
    if let Some(active) = model.active_parameters {
        reasons.push(format!("one token reads {} % of its weights", active * 100 / model.parameters.max(1)));
    }
    if !matches!(model.license.as_str(), "apache-2.0" | "mit") {
        reasons.push(format!("mind its licence: {}", model.license));
    }
    Suggestion {
        name: model.name.clone(),
        quantisation: quant.to_owned(),
        source: model.source(Some(quant)).to_string(),
        license: model.license.clone(),
        size_bytes: bytes,
        memory_bytes,
        tokens_per_second,
        fit,
        reasons,
    }
}

fn memory_reason(needed: u64, room: u64, machine: &Machine, window: u32) -> String {
    let verb = if needed <= room { "fits" } else { "does not fit" };
    format!(
        "{verb}: about {} of {} usable memory, with {} windows of {window} tokens",
        gigabytes(needed),
        gigabytes(room),
        machine.slots.max(1)
    )
}

fn speed_reason(speed: Speed, tokens_per_second: f64) -> String {
    let by = match speed {
        Speed::Bench { .. } => "by the benchmark on this machine",
        Speed::Memory { .. } => "by the speed of this machine's memory",
    };
    let pace = if tokens_per_second < 10.0 {
        format!("{tokens_per_second:.1}")
    } else {
        format!("{tokens_per_second:.0}")
    };
    let but = if tokens_per_second < FLUENT { ", which is slow" } else { "" };
    format!("about {pace} tokens/s {by}{but}")
}

/// Decimal, as hubs show sizes.
fn gigabytes(bytes: u64) -> String {
    let tenths = bytes.saturating_add(50_000_000) / 100_000_000;
    format!("{}.{} GB", tenths / 10, tenths % 10)
}

fn share(bytes: u64, part: u64, of: u64) -> u64 {
    let share = u128::from(bytes) * u128::from(part) / u128::from(of.max(1));
    u64::try_from(share).unwrap_or(u64::MAX)
}

/// Exact up to petabytes, which is more than any machine has.
#[expect(clippy::cast_precision_loss, reason = "an estimate needs no more than 53 bits")]
const fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::known;

    const GIB: u64 = 1 << 30;

    fn machine(memory_gib: u64, gigabytes_per_second: u64) -> Machine {
        Machine {
            memory_bytes: memory_gib * GIB,
            speed: Speed::Memory { bytes_per_second: gigabytes_per_second * 1_000_000_000 },
            context_tokens: 8192,
            slots: 4,
        }
    }

    #[test]
    fn larger_and_faster_machines_get_better_models() {
        let check = |machine: Machine, expected: &str, fit: Fit| {
            let first = suggest(&machine, known()).remove(0);
            let found = format!("{} {}", first.name, first.quantisation);
            assert_eq!((found.as_str(), first.fit), (expected, fit), "{machine:?}: {:?}", first.reasons);
        };
        check(machine(2, 10), "qwen2.5-coder-0.5b Q4_K_M", Fit::Good);
        check(machine(4, 20), "qwen2.5-coder-1.5b Q4_K_M", Fit::Good);
        check(machine(8, 30), "qwen2.5-coder-3b Q4_K_M", Fit::Good);
        check(machine(16, 80), "qwen2.5-coder-7b Q4_K_M", Fit::Good);
        check(machine(64, 80), "qwen3-coder-30b-a3b Q6_K", Fit::Good);
        check(machine(80, 2_000), "qwen3-coder-30b-a3b Q8_0", Fit::Good);
        // Everything fits, and nothing is fluent: the fastest comes first.
        check(machine(64, 2), "qwen2.5-coder-0.5b Q4_K_M", Fit::Slow);
    }

    #[test]
    fn nothing_fits_into_no_memory_and_it_says_so() {
        let all = suggest(&machine(0, 10), known());
        assert_eq!(all.len(), known().len());
        assert!(all.iter().all(|one| one.fit == Fit::TooLarge && one.reasons[0].starts_with("does not fit")));
        assert_eq!(all[0].name, "qwen2.5-coder-0.5b");
    }

    #[test]
    fn a_benchmark_outweighs_an_estimate() {
        let bench = Speed::Bench { model_bytes: 1_000_000_000, tokens_per_second: 40.0 };
        assert!((bench.tokens_per_second(4_000_000_000) - 10.0).abs() < 1e-9);
        let all = suggest(&Machine { speed: bench, ..machine(16, 1) }, known());
        let small = all.iter().find(|one| one.name == "qwen2.5-coder-7b").unwrap();
        assert!(small.reasons[1].contains("by the benchmark"), "{:?}", small.reasons);
    }

    #[test]
    fn licences_with_conditions_are_named() {
        let all = suggest(&machine(64, 500), known());
        let three = all.iter().find(|one| one.name == "qwen2.5-coder-3b").unwrap();
        assert!(three.reasons.iter().any(|reason| reason.contains("qwen-research")));
    }
}
