//! Which hardware computes: what llama.cpp was built for and finds here.

use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::{LlamaBackendDevice, LlamaBackendDeviceType, list_llama_ggml_backend_devices};

use super::model::unreadable;
use crate::Error;
use crate::capabilities::{Device, DeviceKind};
use crate::serve::ServeConfig;

/// What a model was loaded onto.
#[derive(Debug)]
pub(crate) struct LoadedOn {
    pub(crate) device: Device,
    /// Memory of the card before loading, where one is used.
    pub(crate) free_bytes: Option<u64>,
}

/// Loads the model, all of its layers onto a card if there is one, unless the settings say how many.
pub(crate) fn load(backend: &LlamaBackend, config: &ServeConfig) -> Result<(LlamaModel, LoadedOn), Error> {
    let devices = list_llama_ggml_backend_devices();
    let card = devices.iter().find(|device| kind(device.device_type) != DeviceKind::Cpu);
    let wanted = if card.is_some() { config.gpu_layers.unwrap_or(u32::MAX) } else { 0 };
    // llama.cpp takes a signed number; more layers than there are means all.
    let params = LlamaModelParams::default().with_n_gpu_layers(wanted.min(i32::MAX.unsigned_abs()));
    let model = LlamaModel::load_from_file(backend, &config.model, &params)
        .map_err(|error| unreadable(&config.model, &format!("llama.cpp refuses it: {error}")))?;
    let gpu_layers = wanted.min(model.n_layer() + 1);
    let loaded_on = match card.filter(|_| gpu_layers > 0) {
        Some(card) => LoadedOn {
            device: Device { gpu_layers, ..described(card) },
            free_bytes: u64::try_from(card.memory_free).ok().filter(|&free| free > 0),
        },
        None => {
            let processor = devices.iter().find(|device| kind(device.device_type) == DeviceKind::Cpu);
            let unnamed = Device { kind: DeviceKind::Cpu, ..Device::default() };
            LoadedOn { device: processor.map_or(unnamed, described), free_bytes: None }
        }
    };
    Ok((model, loaded_on))
}

fn described(device: &LlamaBackendDevice) -> Device {
    let kind = kind(device.device_type);
    let name = match kind {
        DeviceKind::Cpu => device.description.clone(),
        DeviceKind::Gpu | DeviceKind::IntegratedGpu | DeviceKind::Unknown => {
            format!("{} ({})", device.description, device.backend)
        }
    };
    Device { kind, name, ..Device::default() }
}

/// Accelerators (BLAS, matrix units) only help the processor; an unknown one is not counted on.
const fn kind(of: LlamaBackendDeviceType) -> DeviceKind {
    match of {
        LlamaBackendDeviceType::Gpu => DeviceKind::Gpu,
        LlamaBackendDeviceType::IntegratedGpu => DeviceKind::IntegratedGpu,
        LlamaBackendDeviceType::Cpu
        | LlamaBackendDeviceType::Accelerator
        | LlamaBackendDeviceType::Unknown => DeviceKind::Cpu,
    }
}
