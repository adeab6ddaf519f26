//! Where requests go, as a table, and what holds for every table.

use edgecoder_base::{PrivacyTier, Timestamp};
use edgecoder_routing::{
    Decision, Latency, Limits, Model, Needs, Place, PlaceId, Prefix, Reach, Refusal, Warmth, Why, WhyNot,
    Wish, choose,
};
use proptest::prelude::*;

const REACHES: [Reach; 4] = [Reach::Local, Reach::Device, Reach::Invited, Reach::Public];

fn place(id: &str, reach: Reach) -> Place {
    Place {
        id: PlaceId(id.to_owned()),
        reach,
        models: vec!["small".to_owned()],
        trouble: None,
        window_tokens: 4096,
        running: 0,
        slots: 2,
        latency: Latency::default(),
        offers: Needs::default(),
    }
}

fn four() -> Vec<Place> {
    ["a", "b", "c", "d"].into_iter().zip(REACHES).map(|(id, reach)| place(id, reach)).collect()
}

fn wish(model: Model, tier: PrivacyTier) -> Wish {
    Wish::new(model, tier)
}

fn slow() -> Latency {
    (0..3).fold(Latency::default(), |latency, _| latency.with(60_000))
}

fn decided(wish: &Wish, places: &[Place]) -> Result<Decision, Refusal> {
    choose(wish, places, &Warmth::default(), Limits::default())
}

#[test]
fn local_first_then_as_far_as_the_tier_allows() {
    let spoil: [fn(&mut Place); 4] = [
        |place| place.trouble = Some("it is starting".to_owned()),
        |place| place.running = 2,
        |place| place.latency = slow(),
        |place| place.models = vec!["other".to_owned()],
    ];
    for (index, spoil) in spoil.into_iter().enumerate() {
        for (tier, mut spoilt, expected) in [
            (PrivacyTier::Local, 0, Some(("a", Why::LocalFirst))),
            (PrivacyTier::Devices, 1, Some(("b", Why::Nearest))),
            (PrivacyTier::Invited, 2, Some(("c", Why::Nearest))),
            (PrivacyTier::Public, 3, Some(("d", Why::Nearest))),
            (PrivacyTier::Public, 0, Some(("a", Why::LocalFirst))),
        ] {
            let mut places = four();
            for place in places.iter_mut() {
                if spoilt > 0 {
                    spoil(place);
                    spoilt -= 1;
                }
            }
            let named = Model::Named("small".to_owned());
            let decision = decided(&wish(named, tier), &places);
            let got = decision.as_ref().ok().map(|decision| (decision.chosen.0.as_str(), decision.why));
            assert_eq!(got, expected, "case {index}, {tier}");
        }
    }
}

#[test]
fn what_was_not_taken_is_named_with_its_reason() {
    let mut places = four();
    places[1].running = 5;
    places[2].trouble = Some("asleep".to_owned());
    let decision = decided(&wish(Model::Auto, PrivacyTier::Invited), &places).unwrap();
    let told: Vec<_> = decision.rejected.iter().map(|r| (r.id.0.as_str(), r.why.to_string())).collect();
    assert_eq!(
        told,
        [
            ("b", "it is busy: 5 answers on 2 slots".to_owned()),
            ("c", "it cannot answer now: asleep".to_owned()),
            ("d", "the privacy tier does not allow it".to_owned()),
        ]
    );
    assert_eq!(decision.otherwise, [PlaceId("b".to_owned())]);
}

#[test]
fn a_busy_machine_alone_still_answers() {
    let mut places = four();
    places.truncate(1);
    places[0].running = 9;
    let decision = decided(&wish(Model::Auto, PrivacyTier::Devices), &places).unwrap();
    assert_eq!((decision.chosen.0.as_str(), decision.why), ("a", Why::Only));
}

#[test]
fn a_conversation_stays_where_it_was_read_while_that_machine_is_free() {
    let prefix = Prefix::of(b"system and tools");
    let mut warmth = Warmth::default();
    warmth.read(prefix, PlaceId("b".to_owned()), Timestamp::from_millis(1));
    let asked = Wish { prefix: Some(prefix), ..wish(Model::Auto, PrivacyTier::Devices) };
    let chosen = |places: &[Place], tier| {
        let asked = Wish { tier, ..asked.clone() };
        let decision = choose(&asked, places, &warmth, Limits::default()).unwrap();
        (decision.chosen.0, decision.why)
    };
    assert_eq!(chosen(&four(), PrivacyTier::Devices), ("b".to_owned(), Why::Warm));
    assert_eq!(
        chosen(&four(), PrivacyTier::Local),
        ("a".to_owned(), Why::LocalFirst),
        "never beyond the tier"
    );
    let mut busy = four();
    busy[1].running = 2;
    assert_eq!(chosen(&busy, PrivacyTier::Devices), ("a".to_owned(), Why::LocalFirst));
}

#[test]
fn a_refusal_names_what_blocks() {
    let auto = |tier| wish(Model::Auto, tier);
    let check = |wish: Wish, spoil: fn(&mut Vec<Place>), expected: Refusal| {
        let mut places = four();
        spoil(&mut places);
        assert_eq!(decided(&wish, &places), Err(expected), "{wish:?}");
    };
    let devices = PrivacyTier::Devices;
    let named = wish(Model::Named("gpt-9".to_owned()), devices);
    check(named, |_| {}, Refusal::UnknownModel("gpt-9".to_owned()));
    check(wish(Model::Swarm, devices), |places| places.truncate(1), Refusal::NobodyElse);
    check(auto(PrivacyTier::Local), |places| drop(places.remove(0)), Refusal::BeyondTier);
    let long = Wish { prompt_tokens: 9_000, ..auto(devices) };
    check(long, |_| {}, Refusal::TooLong { prompt_tokens: 9_000, window_tokens: 4096 });
    let needs = Needs { infill: true, ..Needs::default() };
    check(Wish { needs, ..auto(devices) }, |_| {}, Refusal::Lacks("filling a gap"));
    let ill = |places: &mut Vec<Place>| {
        for place in places {
            place.trouble = Some("starting".to_owned());
        }
    };
    check(auto(devices), ill, Refusal::Trouble("starting".to_owned()));
    check(auto(devices), Vec::clear, Refusal::Trouble("there is no engine".to_owned()));
}

prop_compose! {
    fn any_place()(
        id in "[a-f]", reach in 0..4_usize, model in 0..2_usize, ill in any::<bool>(), window in 1..9_000_u32,
        running in 0..6_u32, slots in 1..4_u32, took in prop::collection::vec(0..20_000_u32, 0..5),
    ) -> Place {
        Place {
            models: vec![["small", "large"][model].to_owned()],
            trouble: ill.then(|| "ill".to_owned()),
            window_tokens: window,
            running,
            slots,
            latency: took.into_iter().fold(Latency::default(), Latency::with),
            ..place(&id, REACHES[reach])
        }
    }
}

proptest! {
    #[test]
    fn words_never_go_beyond_the_tier_and_order_does_not_matter(
        mut places in prop::collection::vec(any_place(), 0..7),
        tier in 0..4_usize,
        model in 0..4_usize,
        turn in 0..7_usize,
    ) {
        places.sort_by(|a, b| a.id.cmp(&b.id));
        places.dedup_by(|a, b| a.id == b.id);
        let tier = [PrivacyTier::Local, PrivacyTier::Devices, PrivacyTier::Invited, PrivacyTier::Public][tier];
        let model = [Model::Auto, Model::Local, Model::Swarm, Model::Named("small".to_owned())][model].clone();
        let asked = wish(model, tier);
        let decision = decided(&asked, &places);
        let by = if places.is_empty() { 0 } else { turn % places.len() };
        places.rotate_left(by);
        prop_assert_eq!(&decided(&asked, &places), &decision);
        if let Ok(decision) = decision {
            let of = |id: &PlaceId| places.iter().find(|place| &place.id == id).unwrap();
            for id in decision.otherwise.iter().chain([&decision.chosen]) {
                prop_assert!(of(id).reach.allowed_by(tier));
                prop_assert!(of(id).trouble.is_none());
            }
            prop_assert_eq!(decision.rejected.len() + 1, places.len());
            let free = |place: &&Place| place.reach == Reach::Local && place.trouble.is_none()
                && place.running < place.slots && place.latency.p95_ms().is_none_or(|p95| p95 <= 8_000);
            if let Some(local) = places.iter().find(free) && matches!(asked.model, Model::Auto) && local.window_tokens > 0 {
                prop_assert_eq!(decision.reach, Reach::Local, "a free machine of one's own comes first");
            }
        } else if let Err(Refusal::Trouble(why)) = decision {
            prop_assert!(places.is_empty() || why == "ill" || why == "there is no engine");
        }
    }
}

#[test]
fn reasons_have_words() {
    for why in [Why::LocalFirst, Why::Warm, Why::Nearest, Why::LeastBusy, Why::Only] {
        assert!(!why.words().is_empty());
    }
    assert_eq!(WhyNot::Slow(9).to_string(), "its first word takes 9 ms");
}
