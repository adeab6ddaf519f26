//! What the door shows of models, in the published shapes.

use edgecoder_protocol::api::inference::{
    ListedModel, ListedProvider, MeasureReply, MeasuredEngine, ModelStatus, PullReply, SwapRecord, SwapReply,
};
use edgecoder_protocol::api::status::EngineHealth;
use edgecoder_worker::models::{
    Choice, Found, Measured, ModelsHandle, ModelsView, Provider, Pull, PullStatus, ServerKind, ShelfModel,
    SwapAnswer, SwapState, Swapped,
};

pub(super) fn status(models: &ModelsHandle, engine: EngineHealth) -> ModelStatus {
    let view = models.view();
    let status = match engine.state.as_str() {
        "ready" => "ready",
        "starting" | "restarting" => "loading",
        "absent" => "no_model",
        _ => "error",
    };
    let ours = matches!(&view.active.provider, Provider::Server { kind: ServerKind::Ollama, .. });
    let seen = models.known_providers().iter().any(|found| found.kind == Some(ServerKind::Ollama));
    let running = view.pull.as_ref().filter(|pull| pull.status == PullStatus::Pulling);
    ModelStatus {
        model: engine.model.clone().or_else(|| Some(view.active.model.clone())),
        param_size: models.size(&view.active),
        status: status.to_owned(),
        ollama_healthy: if ours { engine.state == "ready" } else { seen },
        pull_progress: running.map(told),
        provider: view.active.provider.name().to_owned(),
        next: view.swapping.map(|swapping| swapping.to.model),
        engine,
    }
}

pub(super) fn pull(view: &ModelsView) -> PullReply {
    let idle = || PullReply { status: "idle".to_owned(), ..PullReply::default() };
    view.pull.as_ref().map_or_else(idle, told)
}

fn told(pull: &Pull) -> PullReply {
    let status = match pull.status {
        PullStatus::Pulling => "pulling",
        PullStatus::Done => "done",
        PullStatus::Failed => "error",
    };
    PullReply {
        status: status.to_owned(),
        model: Some(pull.model.clone()),
        provider: Some(pull.provider.clone()),
        step: Some(pull.step.clone()),
        progress_pct: Some(pull.percent()),
        completed: Some(pull.completed),
        total: Some(pull.total),
        started_at_ms: Some(pull.started_at.as_millis()),
        error: pull.error.clone(),
    }
}

pub(super) fn swapped(models: &ModelsHandle, answer: SwapAnswer) -> SwapReply {
    let (status, error) = match answer.state {
        SwapState::Ready => ("ready", None),
        SwapState::Loading => ("loading", None),
        SwapState::Pulling => ("pulling", None),
        SwapState::Failed(reason) => ("error", Some(reason)),
    };
    let progress = models.view().pull.filter(|_| status == "pulling").map(|pull| pull.percent());
    SwapReply {
        previous: answer.previous.model,
        param_size: models.size(&answer.active),
        active: answer.active.model,
        status: status.to_owned(),
        progress,
        error,
    }
}

pub(super) fn listed(model: ShelfModel) -> ListedModel {
    ListedModel {
        source: model.spec.provider.name().to_owned(),
        model_id: model.spec.model,
        param_size: model.parameters,
        quantization: model.quantization,
        installed: model.installed,
        active: model.active,
        size_bytes: model.bytes,
        removable: model.removable,
    }
}

pub(super) fn provider(found: Found) -> ListedProvider {
    ListedProvider {
        kind: found.kind.map(|kind| kind.as_str().to_owned()),
        url: found.url,
        healthy: found.kind.is_some() && found.trouble.is_none(),
        version: found.version,
        models: found.models,
        answered_ms: found.answered_ms,
        trouble: found.trouble,
    }
}

pub(super) fn measured(measured: Vec<Measured>, choice: Choice) -> MeasureReply {
    let engine = |one: Measured| MeasuredEngine {
        provider: one.spec.provider.name().to_owned(),
        model: one.spec.model,
        right: one.right,
        asked: one.asked,
        first_text_ms: one.first_text_ms,
        tokens_per_second: one.tokens_per_s,
        trouble: one.trouble,
    };
    MeasureReply {
        measured: measured.into_iter().map(engine).collect(),
        provider: choice.spec.provider.name().to_owned(),
        model: choice.spec.model,
        reason: choice.reason,
    }
}

pub(super) fn record(swapped: &Swapped) -> SwapRecord {
    SwapRecord {
        from: swapped.from.model.clone(),
        to: swapped.to.model.clone(),
        provider: swapped.to.provider.name().to_owned(),
        reason: swapped.reason.clone(),
        at_ms: swapped.at.as_millis(),
        took_ms: swapped.took_ms,
        error: swapped.error.clone(),
    }
}
