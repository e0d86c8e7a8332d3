//! Whatever stands in a file: nothing panics, and what is published is valid and owned by `kubevirt-least`.

use agent::libvirt::{Document, Documents, Texts};
use agent::publication::{Bounds, Labels, Life, Parts, assemble};
use agent::{Architecture, Facts, Settings, cpu_manager, ksm, labeller, processor, realtime};
use ownership::{Profile, builtin, key};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

static LEAST: LazyLock<Profile> =
    LazyLock::new(|| builtin::profile("kubevirt-least").expect("is built in").expect("is valid"));

fn architectures() -> impl Strategy<Value = Architecture> {
    select(vec![Architecture::Amd64, Architecture::Arm64, Architecture::S390x, Architecture::Other])
}

fn documents() -> impl Strategy<Value = Document> {
    select(Document::ALL.to_vec())
}

/// Words that mean something to some collector, and pieces that break XML.
fn pieces() -> impl Strategy<Value = String> {
    let words = [
        "<domainCapabilities>",
        "</domainCapabilities>",
        "<capabilities>",
        "</capabilities>",
        "<cpu>",
        "</cpu>",
        "<mode name='host-model'>",
        "<mode name='custom'>",
        "</mode>",
        "<model usable='yes'>",
        "<model>",
        "</model>",
        "<vendor>",
        "</vendor>",
        "<feature policy='require' name='x'/>",
        "<feature name='y'/>",
        "<features>",
        "</features>",
        "<sev supported='yes'><maxESGuests>15</maxESGuests></sev>",
        "<tdx supported='yes'/>",
        "<s390-pv supported='yes'/>",
        "<arch>x86_64</arch>",
        "<host>",
        "</host>",
        "<guest>",
        "</guest>",
        "<arch name='x86_64'>",
        "</arch>",
        "<machine>",
        "</machine>",
        "<counter name='tsc' frequency='1'/>",
        "<!DOCTYPE a [<!ENTITY x 'y'>]>",
        "&x;",
        "&amp;",
        "&#x41;",
        "<![CDATA[",
        "]]>",
        "<!--",
        "-->",
        "<?",
        "?>",
        "EPYC-Milan-v1",
        "\u{0}",
        "é",
        " ",
        "\n",
        "'",
        "\"",
        "<",
        ">",
        "&",
        "/",
    ];
    prop_oneof![8 => select(words.to_vec()).prop_map(str::to_owned), 1 => any::<String>()]
}

/// Texts that are nearly a document, and texts that are nothing.
fn texts() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(pieces(), 0..40).prop_map(|pieces| pieces.concat().into_bytes()),
        (names(), names(), names(), "[0-9]{0,22}").prop_map(whole_domain),
        ("[A-Za-z0-9._-]{0,70}", names(), "[0-9]{0,22}").prop_map(whole_host),
        vec(any::<u8>(), 0..200),
    ]
}

/// Names of models and the like, and texts that are none.
fn names() -> impl Strategy<Value = String> {
    prop_oneof!["[A-Za-z0-9._-]{0,70}", any::<String>()]
}

/// A document of the right form with names of any kind.
fn whole_domain((model, feature, vendor, guests): (String, String, String, String)) -> Vec<u8> {
    let [model, feature, vendor] = [model, feature, vendor].map(|text| escaped(&text));
    format!(
        "<domainCapabilities><cpu><mode name='host-model'><model>{model}</model><vendor>{vendor}</vendor>
         <feature policy='require' name='{feature}'/></mode><mode name='custom'><model usable='yes'>{model}</model>
         <model usable='no'>{feature}</model></mode></cpu><features><sev supported='yes'><maxESGuests>{guests}
         </maxESGuests></sev></features></domainCapabilities>"
    )
    .into_bytes()
}

fn whole_host((machine, vendor, frequency): (String, String, String)) -> Vec<u8> {
    let vendor = escaped(&vendor);
    format!(
        "<capabilities><host><cpu><vendor>{vendor}</vendor><counter name='tsc' frequency='{frequency}'/></cpu></host>
         <guest><arch><machine>{machine}</machine><machine>{vendor}</machine></arch></guest></capabilities>"
    )
    .into_bytes()
}

fn escaped(text: &str) -> String {
    let plain = |c: &char| !c.is_control();
    text.chars().filter(plain).map(|c| format!("&#{};", u32::from(c))).collect()
}

fn settings() -> impl Strategy<Value = Settings> {
    (vec(any::<String>(), 0..3), any::<bool>(), any::<bool>()).prop_map(|(obsolete, gate, crossing)| Settings {
        obsolete_models: obsolete.into_iter().collect(),
        same_page_merging: gate.then(Default::default),
        cpu_manager: gate,
        cross_architecture: crossing,
    })
}

fn bounds() -> impl Strategy<Value = Bounds> {
    prop_oneof![Just(Bounds::default()), (0..20_usize, 0..500_usize).prop_map(|(keys, bytes)| Bounds { keys, bytes })]
}

/// What a profile's guard and kube-apiserver would say, asked one key at a time.
fn assert_publishable(parts: Parts, bounds: Bounds) -> Result<(), TestCaseError> {
    let assembly = assemble(parts, &LEAST, bounds);
    let published = &assembly.publication;
    for (key, value) in &published.labels {
        prop_assert_eq!(key::label_key(key), Ok(()));
        prop_assert_eq!(key::label_value(value), Ok(()));
        prop_assert!(LEAST.labels().owns(key) && LEAST.labels().allows(key, value), "{}={}", key, value);
    }
    for (key, value) in &published.annotations {
        prop_assert_eq!(key::annotation_key(key), Ok(()));
        prop_assert!(LEAST.annotations().owns(key) && LEAST.annotations().allows(key, value), "{}={}", key, value);
    }
    let all = || published.labels.iter().chain(&published.annotations);
    let bytes: usize = all().map(|(key, value)| key.len() + value.len()).sum();
    prop_assert!(all().count() <= bounds.keys && bytes <= bounds.bytes);
    prop_assert!(all().all(|(key, _)| assembly.sources.contains_key(key)));
    for left in &assembly.left_out {
        prop_assert!(left.to_string().len() < 1_000, "{}", left);
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_documents_give_a_publication_that_is_accepted(
        architecture in architectures(),
        texts in vec((documents(), texts()), 0..6),
        settings in settings(),
        bounds in bounds(),
        seconds in any::<u64>(),
        flags in any::<[bool; 5]>(),
    ) {
        let (documents, faults) = Documents::parse(&Texts::new(texts), architecture);
        let [schedulable, pinned, eligible, managed, realtime] = flags;
        let facts = Facts { documents, realtime, hyperv: ["base"].into(), ..Facts::none(architecture) };
        let parts = Parts {
            life: Some(Life { schedulable, heartbeat: SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)) }),
            cpu_manager: Some(pinned),
            same_page_merging: Some(ksm::State { eligible, managed }),
            labels: Labels::Of(labeller::labels(&facts, &settings)),
            takes_over: false,
        };
        assert_publishable(parts, bounds)?;
        for fault in faults {
            prop_assert!(fault.to_string().len() < 1_000, "{}", fault);
        }
    }

    #[test]
    fn any_text_is_understood_or_named(text in texts(), architecture in architectures()) {
        for document in Document::ALL {
            let (_, faults) = Documents::parse(&Texts::new([(document, text.clone())]), architecture);
            let of_it = faults.iter().filter(|fault| fault.at == agent::Source::Libvirt(document)).count();
            prop_assert!(of_it <= 1, "{:?}", faults);
        }
        let said = [
            cpu_manager::is_static(&text).err(),
            realtime::is_unlimited(&text).err(),
            ksm::Memory::parse(&text).err(),
        ];
        for problem in said.into_iter().flatten() {
            prop_assert!(problem.to_string().len() < 1_000, "{}", problem);
        }
        prop_assert!(processor::vendor(&text).is_none_or(|name| key::label_value(name).is_ok()));
    }

    #[test]
    fn any_state_of_merging_gives_a_step_that_the_kernel_takes(
        running in any::<Option<bool>>(),
        pages in any::<Option<u64>>(),
        memory in any::<Option<(u64, u64)>>(),
        settings in settings(),
        overrides in vec((select(OVERRIDES.to_vec()), "-?[0-9]{0,20}|[a-zA-Z.]{0,4}|0\\.[0-9]{1,3}"), 0..8),
        managed in any::<Option<bool>>(),
    ) {
        let memory = memory.map(|(total, available)| ksm::Memory { total, available });
        let readings = ksm::Readings { running, pages, memory };
        let key = |name: &str| format!("kubevirt.io/ksm-{name}-override");
        let mut annotations: std::collections::BTreeMap<String, String> =
            overrides.into_iter().map(|(name, value)| (key(name), value)).collect();
        annotations.extend(managed.map(|managed| (agent::keys::KSM_MANAGED.to_owned(), managed.to_string())));
        let (step, _) = ksm::step(&readings, &settings, &Default::default(), &annotations);
        for (control, value) in &step.writes {
            prop_assert!(*value <= u64::from(u32::MAX));
            prop_assert!(*control != ksm::Control::SleepMillisecs || *value > 0, "a pause of nothing");
            prop_assert!(*control != ksm::Control::Run || *value <= 1);
        }
        prop_assert!(running.is_some() || step.writes.is_empty());
    }
}

const OVERRIDES: [&str; 7] =
    ["pages-boost", "pages-decay", "pages-min", "pages-max", "pages-init", "sleep-ms-baseline", "free-percent"];
