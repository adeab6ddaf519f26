//! The ledger as others see it: pages of it, and whether it holds.

use std::collections::BTreeMap;

use edgecoder_base::{NodeId, PublicKey};
use edgecoder_ledger::Verifier;
use edgecoder_protocol::api::ledger::{LedgerPage, LedgerVerdict, MAX_PAGE};
use edgecoder_protocol::ledger::Checkpoint;
use edgecoder_store::Store;

use crate::{Error, Handle};

impl Handle {
    /// `GET /ledger/snapshot`: a page of this coordinator's chain.
    pub async fn ledger_page(&self, after: u64, limit: Option<u32>) -> Result<LedgerPage, Error> {
        let limit = limit.unwrap_or(MAX_PAGE).clamp(1, MAX_PAGE);
        let records = self.inner.store.entries(&self.inner.id, after, limit).await?;
        let full = records.len() == usize::try_from(limit).unwrap_or(usize::MAX);
        let next = records.last().filter(|_| full).map(|entry| entry.sequence);
        let proof = self.inner.store.last_checkpoint(&self.inner.id).await?;
        Ok(LedgerPage { records, next, proof })
    }

    /// `GET /ledger/verify`: walks every chain in this database, page by page, off the async threads.
    pub async fn verify_ledger(&self) -> Result<LedgerVerdict, Error> {
        let keys = BTreeMap::from([(self.inner.id.clone(), self.own_key())]);
        verify(&self.inner.store, &keys).await
    }
}

/// Walks every chain of a store. Signatures are checked for the coordinators whose keys are given.
pub async fn verify(store: &Store, keys: &BTreeMap<NodeId, PublicKey>) -> Result<LedgerVerdict, Error> {
    let mut total = LedgerVerdict { ok: true, reason: None, entries: 0, checkpoints: 0 };
    for chain in store.chains().await? {
        let (fault, entries, checkpoints) = walk(store, &chain, keys.get(&chain).copied()).await?;
        total.entries += entries;
        total.checkpoints += checkpoints;
        if let Some(fault) = fault {
            total.ok = false;
            total.reason = Some(format!("{chain}: {fault}"));
            break;
        }
    }
    Ok(total)
}

async fn walk(
    store: &Store,
    chain: &NodeId,
    key: Option<PublicKey>,
) -> Result<(Option<String>, u64, u64), Error> {
    let mut verifier = Verifier::new(chain.clone(), key);
    let mut open: std::collections::VecDeque<Checkpoint> = std::collections::VecDeque::new();
    let mut signed = 0;
    // Checkpoints are read up to a page beyond the entries; the chain grows meanwhile, so its end is fixed now.
    let end = store.last_checkpoint(chain).await?.map_or(0, |checkpoint| checkpoint.sequence);
    while verifier.height() < end {
        let entries = store.entries(chain, verifier.height(), MAX_PAGE).await?;
        let Some(last) = entries.last() else {
            return Ok((Some(cut_tail(verifier.height(), end)), verifier.counts().0, verifier.counts().1));
        };
        while signed < last.sequence {
            let page = store.checkpoints(chain, signed, MAX_PAGE).await?;
            let Some(newest) = page.last() else { break };
            signed = newest.sequence;
            open.extend(page);
        }
        let checked = tokio::task::spawn_blocking(move || {
            let result = entries.iter().try_for_each(|entry| {
                verifier.entry(entry)?;
                while let Some(checkpoint) = open.front().filter(|c| c.sequence <= entry.sequence) {
                    verifier.checkpoint(checkpoint)?;
                    open.pop_front();
                }
                Ok::<(), edgecoder_ledger::Fault>(())
            });
            (verifier, open, result)
        })
        .await;
        let result;
        (verifier, open, result) = match checked {
            Ok(parts) => parts,
            Err(_panicked) => {
                let code = edgecoder_protocol::ErrorCode::Internal;
                return Err(Error::new(code, "walking the ledger failed unexpectedly"));
            }
        };
        if let Err(fault) = result {
            return Ok((Some(fault.to_string()), verifier.counts().0, verifier.counts().1));
        }
    }
    Ok((None, verifier.counts().0, verifier.counts().1))
}

fn cut_tail(height: u64, signed: u64) -> String {
    edgecoder_ledger::Fault::Truncated { height, signed }.to_string()
}
