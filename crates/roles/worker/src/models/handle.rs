//! What others ask of the owner of the models. Looking is done here, in the caller's own time; only what changes
//! something goes to the owner.

use edgecoder_inference::discover::{Found, ServerKind};
use edgecoder_inference::{Error, Switch};
use tokio::sync::{oneshot, watch};

use super::choice::{self, Choice, Measured};
use super::history::ModelsView;
use super::resolve::Resolved;
use super::shelf::{self, ShelfModel};
use super::spec::{EngineSpec, Refusal};
use super::{ANSWER_WITHIN, Command, ModelsHandle, SwapAnswer, SwapState, measure, resolve};

impl ModelsHandle {
    /// How everything stands.
    pub fn view(&self) -> ModelsView {
        self.view.borrow().clone()
    }

    /// The same, and every change of it.
    pub fn changes(&self) -> watch::Receiver<ModelsView> {
        self.view.clone()
    }

    /// The engine whose place is given.
    pub const fn switch(&self) -> &Switch {
        &self.deps.switch
    }

    /// Every model that can be used or fetched, the active one included.
    pub async fn list(&self) -> Vec<ShelfModel> {
        self.listed().await.0
    }

    /// The same, and the shelves that answered and fetch also what they do not list.
    async fn listed(&self) -> (Vec<ShelfModel>, Vec<(usize, String)>) {
        let asked = self.deps.shelves.iter().map(|shelf| shelf.list());
        let (mut models, mut fetchers) = (Vec::new(), Vec::new());
        let answers = futures::future::join_all(asked).await;
        for (index, (shelf, listed)) in self.deps.shelves.iter().zip(answers).enumerate() {
            match listed {
                Ok(listed) => {
                    models.extend(listed);
                    fetchers.extend(shelf.fetches_any().then(|| (index, shelf.provider().to_owned())));
                }
                Err(error) => tracing::debug!(shelf = shelf.provider(), %error, "no list of models"),
            }
        }
        models.extend(self.providers.found().await.iter().flat_map(shelf::of_server));
        let active = self.view().active;
        for model in &mut models {
            model.active = model.spec == active;
        }
        if !models.iter().any(|model| model.active) {
            models.insert(0, ShelfModel { active: true, ..ShelfModel::of(active) });
        }
        let sized = models.iter().filter_map(|model| Some((model.spec.clone(), model.parameters.clone()?)));
        *self.sizes.lock() = sized.collect();
        (models, fetchers)
    }

    /// How large a model is, like `7.6B`, as far as the last list told. From memory.
    pub fn size(&self, spec: &EngineSpec) -> Option<String> {
        self.sizes.lock().iter().find(|(known, _)| known == spec).map(|(_, size)| size.clone())
    }

    /// Gives the place to another model. One that is not there yet is fetched first, in the background.
    pub async fn swap(&self, model: &str, provider: Option<&str>) -> Result<SwapAnswer, Refusal> {
        let previous = self.view().active;
        let (listed, fetchers) = self.listed().await;
        match resolve::resolve(model, provider, &previous, &listed, &fetchers)? {
            Resolved::There(to) if to == previous => self.answer(previous, SwapState::Ready),
            Resolved::There(to) => {
                let why = "on request".to_owned();
                let number = self.ask(|reply| Command::Swap { to, why, reply }).await?;
                let state = tokio::time::timeout(ANSWER_WITHIN, self.ended(number)).await;
                self.answer(previous, state.unwrap_or(SwapState::Loading))
            }
            Resolved::ToFetch { shelf, model } => {
                self.ask(|reply| Command::Pull { shelf, model, then_use: true, reply }).await?;
                self.answer(previous, SwapState::Pulling)
            }
        }
    }

    /// Fetches a model in the background, without using it.
    pub async fn pull(&self, model: &str, provider: Option<&str>) -> Result<(), Refusal> {
        let active = self.view().active;
        let (listed, fetchers) = self.listed().await;
        match resolve::resolve(model, provider, &active, &listed, &fetchers)? {
            Resolved::There(_) => Ok(()),
            Resolved::ToFetch { shelf, model } => {
                self.ask(|reply| Command::Pull { shelf, model, then_use: false, reply }).await
            }
        }
    }

    /// Removes a model from the disk. The one in use stays.
    pub async fn remove(&self, model: &str, provider: Option<&str>) -> Result<(), Refusal> {
        let view = self.view();
        let listed = self.list().await;
        let spec = match resolve::resolve(model, provider, &view.active, &listed, &[])? {
            Resolved::There(spec) => spec,
            Resolved::ToFetch { model, .. } => return Err(Refusal::NotFound(model)),
        };
        let coming = view.swapping.as_ref().is_some_and(|swapping| swapping.to == spec);
        if spec == view.active || coming {
            return Err(Refusal::InUse(spec.model));
        }
        let kept = listed.iter().any(|known| known.spec == spec && known.removable);
        let mut shelves = self.deps.shelves.iter();
        match shelves.find(|shelf| shelf.provider() == spec.provider.name()).filter(|_| kept) {
            Some(shelf) => Ok(shelf.remove(spec.model).await?),
            None => Err(Refusal::NotRemovable(spec.model)),
        }
    }

    /// Model servers as the last look found them. From memory.
    pub fn known_providers(&self) -> Vec<Found> {
        self.providers.known()
    }

    /// Model servers on this machine and in the settings, as looked at a moment ago or now.
    pub async fn providers(&self) -> Vec<Found> {
        self.providers.found().await
    }

    /// Tries the active engine and every server that was found with a few short questions, one after another,
    /// and says which would be chosen and why. Changes nothing.
    pub async fn measure(&self) -> (Vec<Measured>, Choice) {
        let view = self.view();
        let found = self.providers.look().await;
        let mut measured = vec![measure::active(&self.deps.switch, view.active.clone()).await];
        for spec in found.iter().filter_map(|found| choice::candidate(found, self.wanted.as_deref())) {
            if spec != view.active {
                measured.push(measure::other(&*self.deps.maker, spec).await);
            }
        }
        let choice = choice::by_measure(&self.order, &measured, &view.active);
        (measured, choice)
    }

    /// Looks around at the start; the choice when there is one to make.
    pub(super) async fn first_look(&self, choose: bool) -> Option<Choice> {
        let found = self.providers.look().await;
        for server in &found {
            let (kind, models) = (server.kind.map(ServerKind::as_str), server.models.len());
            tracing::info!(url = server.url, kind, models, trouble = server.trouble, "model server");
        }
        let active = self.view().active;
        let choice =
            choose.then(|| choice::by_order(&self.order, &found, self.wanted.as_deref(), &active))?;
        (choice.spec != active).then_some(choice)
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, Refusal>>) -> Command,
    ) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        let stopped = || Refusal::Engine(Error::EngineStopped);
        self.commands.send(command(reply)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// How swap `number` ended.
    async fn ended(&self, number: u64) -> SwapState {
        let mut view = self.view.clone();
        match view.wait_for(|view| view.ended(number).is_some()).await {
            Ok(view) => match view.ended(number).and_then(|swapped| swapped.error.clone()) {
                None => SwapState::Ready,
                Some(error) => SwapState::Failed(error),
            },
            Err(_) => SwapState::Failed(Error::EngineStopped.to_string()),
        }
    }

    fn answer(&self, previous: EngineSpec, state: SwapState) -> Result<SwapAnswer, Refusal> {
        Ok(SwapAnswer { previous, active: self.view().active, state })
    }
}
