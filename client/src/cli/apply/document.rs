//! Files of documents: YAML, one or many, or JSON, an object or an array of them.
//!
//! A document is the proto3 JSON of a message with a `kind` beside its fields. The kind is found in a first pass and
//! left out in the second, which reads the message straight from the text, so that errors name path and line.

use std::fmt;

use offpeak::v1::{Job, Node, Owner, Tenant};
use prost_reflect::{DynamicMessage, MessageDescriptor};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error as _, IgnoredAny, IntoDeserializer as _, MapAccess, Visitor},
};
use serde_path_to_error::{Path, Segment, Track};

use crate::cli::{
    failure::{Failure, exit},
    json,
    template::Template,
};

/// Something to be applied.
#[derive(Debug, PartialEq)]
pub(crate) enum Document {
    Owner(Owner),
    Tenant(Tenant),
    Node(Node),
    Job(Box<Job>),
}

#[derive(Deserialize)]
struct Head {
    kind: Option<String>,
}

/// Something that a file holds.
#[derive(Debug)]
pub(crate) enum Parsed {
    Document(Box<Document>),
    /// With where it stands, for messages.
    Template(String, Template),
}

/// Reads all documents of a file that are to be applied. `file` is its name for messages.
pub(crate) fn parse(file: &str, text: &str) -> Result<Vec<Document>, Failure> {
    let each = |parsed| match parsed {
        Parsed::Document(document) => Ok(*document),
        Parsed::Template(place, _) => {
            Err(refuse(format!("{place}: a JobTemplate cannot be applied"))
                .hint("offpeak submit -f FILE --set NAME=VALUE submits a job made from it"))
        }
    };
    parse_all(file, text)?.into_iter().map(each).collect()
}

/// Reads all documents and templates of a file.
pub(crate) fn parse_all(file: &str, text: &str) -> Result<Vec<Parsed>, Failure> {
    match text.trim_start().as_bytes().first() {
        Some(b'{') => Ok(vec![parse_json(file, text)?]),
        Some(b'[') => parse_json_array(file, text),
        _ => yaml_documents(text)
            .into_iter()
            .map(|(line, document)| parse_yaml(file, line, document))
            .collect(),
    }
}

fn parse_json_array(file: &str, text: &str) -> Result<Vec<Parsed>, Failure> {
    let items: Vec<&serde_json::value::RawValue> =
        serde_json::from_str(text).map_err(|error| refuse(format!("{file}: {error}")))?;
    items
        .iter()
        .enumerate()
        .map(|(index, item)| parse_json(&format!("{file}: item {}", index + 1), item.get()))
        .collect()
}

fn parse_json(place: &str, text: &str) -> Result<Parsed, Failure> {
    let head: Head =
        serde_json::from_str(text).map_err(|error| refuse(format!("{place}: {error}")))?;
    let Some(kind) = Kind::of(place, head)? else {
        let template = serde_json::from_str(text);
        let template = template.map_err(|error| refuse(format!("{place}: {error}")))?;
        return Ok(Parsed::Template(place.to_owned(), template));
    };
    let mut track = Track::new();
    let mut reader = serde_json::Deserializer::from_str(text);
    let tracked = serde_path_to_error::Deserializer::new(&mut reader, &mut track);
    let message = kind.message().read(tracked).and_then(|message| reader.end().map(|()| message));
    match message {
        Ok(message) => Ok(Parsed::Document(Box::new(kind.document(&message)))),
        Err(error) => Err(misfit(place, &kind.message().0, &track.path(), &error.to_string())),
    }
}

/// Reads one document that begins at line `first` (counted from 0) of its file.
fn parse_yaml(file: &str, first: usize, text: &str) -> Result<Parsed, Failure> {
    let at = |error: &serde_saphyr::Error| {
        let error = error.without_snippet();
        let line = error
            .location()
            .map_or(first + 1, |at| first + usize::try_from(at.line()).unwrap_or(1));
        format!("{file}:{line}")
    };
    let head: Head = serde_saphyr::from_str(text)
        .map_err(|error| refuse(format!("{}: {}", at(&error), yaml_text(&error))))?;
    let place = format!("{file}:{}", first + 1);
    let Some(kind) = Kind::of(&place, head)? else {
        let template = serde_saphyr::from_str(text);
        let template =
            template.map_err(|error| refuse(format!("{}: {}", at(&error), yaml_text(&error))))?;
        return Ok(Parsed::Template(place, template));
    };
    let mut track = Track::new();
    let message = serde_saphyr::with_deserializer_from_str(text, |reader| {
        let tracked = serde_path_to_error::Deserializer::new(reader, &mut track);
        kind.message().read(tracked)
    });
    match message {
        Ok(message) => Ok(Parsed::Document(Box::new(kind.document(&message)))),
        Err(error) => {
            Err(misfit(&at(&error), &kind.message().0, &track.path(), &yaml_text(&error)))
        }
    }
}

/// The error without the place, which is told relative to the whole file.
fn yaml_text(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let text = text.lines().next().unwrap_or_default();
    // Neither the place, nor advice to whoever calls the parser.
    let end = [" at line ", ", set DuplicateKeyPolicy"]
        .iter()
        .filter_map(|tail| text.rfind(tail))
        .min()
        .unwrap_or(text.len());
    text[..end].to_owned()
}

/// Cuts a stream at its `---` lines, each part with the line it begins at. Parts without content are left out.
fn yaml_documents(text: &str) -> Vec<(usize, &str)> {
    let mut documents = Vec::new();
    let mut begin = 0;
    let mut begin_line = 0;
    let mut offset = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if let Some(rest) = line.strip_prefix("---")
            && (rest.is_empty() || rest.starts_with(char::is_whitespace))
        {
            documents.push((begin_line, &text[begin..offset]));
            begin = offset + "---".len();
            begin_line = index;
        }
        offset += line.len();
    }
    documents.push((begin_line, &text[begin..]));
    // Comments and directives are not content, nor is the mark of a document's end.
    let has_content = |text: &str| {
        text.lines()
            .map(str::trim)
            .any(|line| !line.is_empty() && !line.starts_with(['#', '%']) && line != "...")
    };
    documents.retain(|(_, document)| has_content(document));
    documents
}

/// Tells what in a document is not as its message asks, and of an unknown field which ones there are.
pub(crate) fn misfit(place: &str, message: &MessageDescriptor, path: &Path, why: &str) -> Failure {
    let prefix = match path.to_string().as_str() {
        "" | "." | "?" => String::new(),
        path => format!("{path}: "),
    };
    let failure = refuse(format!("{place}: {prefix}{why}"));
    if !why.starts_with("unrecognized field name") {
        return failure;
    }
    match message_at(message, path) {
        Some(message) => failure.hint(format!("its fields are {}", field_names(&message))),
        None => failure,
    }
}

/// The message that lies at a path below another.
fn message_at(message: &MessageDescriptor, path: &Path) -> Option<MessageDescriptor> {
    path.iter().try_fold(message.clone(), |message, segment| {
        let Segment::Map { key } = segment else { return Some(message) };
        let by_json_name = message.get_field_by_json_name(key);
        let field = by_json_name.or_else(|| message.get_field_by_name(key))?;
        field.kind().as_message().cloned()
    })
}

fn field_names(message: &MessageDescriptor) -> String {
    let names: Vec<String> = message.fields().map(|field| field.json_name().to_owned()).collect();
    names.join(", ")
}

fn refuse(message: String) -> Failure {
    Failure::new(exit::FAILURE, message)
}

#[derive(Clone, Copy)]
enum Kind {
    Owner,
    Tenant,
    Node,
    Job,
}

impl Kind {
    /// None of a template, which is no message.
    fn of(place: &str, head: Head) -> Result<Option<Self>, Failure> {
        match head.kind.as_deref() {
            Some("Owner") => Ok(Some(Self::Owner)),
            Some("Tenant") => Ok(Some(Self::Tenant)),
            Some("Node") => Ok(Some(Self::Node)),
            Some("Job") => Ok(Some(Self::Job)),
            Some("JobTemplate") => Ok(None),
            Some(other) => Err(refuse(format!("{place}: unknown kind {other:?}"))),
            None => Err(refuse(format!("{place}: the document has no kind"))),
        }
        .map_err(|failure| failure.hint("kind is one of Owner, Tenant, Node, Job, JobTemplate"))
    }

    fn message(self) -> MessageBesideKind {
        MessageBesideKind(match self {
            Self::Owner => json::descriptor::<Owner>(),
            Self::Tenant => json::descriptor::<Tenant>(),
            Self::Node => json::descriptor::<Node>(),
            Self::Job => json::descriptor::<Job>(),
        })
    }

    fn document(self, message: &DynamicMessage) -> Document {
        match self {
            Self::Owner => Document::Owner(json::typed(message)),
            Self::Tenant => Document::Tenant(json::typed(message)),
            Self::Node => Document::Node(json::typed(message)),
            Self::Job => Document::Job(Box::new(json::typed(message))),
        }
    }
}

/// Reads a message from a map that also has a `kind`.
struct MessageBesideKind(MessageDescriptor);

impl MessageBesideKind {
    fn read<'de, D: Deserializer<'de>>(self, reader: D) -> Result<DynamicMessage, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MessageBesideKind {
    type Value = DynamicMessage;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a document of kind {}", self.0.name())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<DynamicMessage, A::Error> {
        let fields = serde::de::value::MapAccessDeserializer::new(WithoutKind(map));
        DynamicMessage::deserialize(self.0, fields)
    }
}

/// The entries of a map, but for its `kind`.
struct WithoutKind<A>(A);

impl<'de, A: MapAccess<'de>> MapAccess<'de> for WithoutKind<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        while let Some(key) = self.0.next_key::<String>()? {
            if key != "kind" {
                return seed.deserialize(key.into_deserializer()).map(Some);
            }
            self.0.next_value::<IgnoredAny>().map_err(A::Error::custom)?;
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.0.next_value_seed(seed)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{Document, parse};

    fn names(text: &str) -> Vec<String> {
        let documents = parse("test", text).expect("valid documents");
        let name = |document: &Document| match document {
            Document::Owner(owner) => owner.name.clone(),
            Document::Tenant(tenant) => tenant.name.clone(),
            Document::Node(node) => node.name.clone(),
            Document::Job(job) => job.name.clone(),
        };
        documents.iter().map(name).collect()
    }

    #[test]
    fn streams_are_cut_at_their_marks() {
        let stream = "%YAML 1.2\n---\nkind: Node\nname: a\n--- # next\nname: b\nkind: Job\n--- {kind: Tenant, name: c}\n...\n---\n";
        assert_eq!(names(stream), ["a", "b", "c"]);
        assert!(names("# nothing\n").is_empty());
    }

    #[test]
    fn json_is_an_object_or_an_array() {
        assert_eq!(names(r#" {"kind": "Node", "name": "a"}"#), ["a"]);
        let array = r#"[{"name": "a", "kind": "Node"}, {"kind": "Job", "name": "b"}]"#;
        assert_eq!(names(array), ["a", "b"]);
        assert!(names("[]").is_empty());
    }

    #[test]
    fn both_spellings_of_a_field_are_read() {
        let text = "kind: Node\nname: a\ngpu_model: x\nreportTtl: 60s\ncapacity: {cpuMillis: 1, memory_bytes: \"2\"}\n";
        let documents = parse("test", text).expect("valid");
        let [Document::Node(node)] = documents.as_slice() else {
            panic!("{documents:?}");
        };
        assert_eq!(node.gpu_model, "x");
        assert_eq!(node.report_ttl.map(|ttl| ttl.seconds), Some(60));
        let capacity = node.capacity.clone().unwrap_or_default();
        assert_eq!((capacity.cpu_millis, capacity.memory_bytes), (1, 2));
    }

    #[test]
    fn errors_name_path_and_line() {
        let refusals: String = [
            "kind: Node\n---\nkind: Job\nname: b\nspec:\n  request:\n    cpus: 4\n",
            "kind: Job\nspec: {count: -1}\n",
            "kind: Job\nspec: {count: many}\n",
            "kind: Pod\n",
            "kind: JobTemplate\njob: {}\n",
            "- kind: Node\n",
            "kind: Node\nname: [\n",
            "kind: Node\nname: a\nname: b\n",
            r#"{"kind": "Job", "spec": {"gang": 1}}"#,
        ]
        .iter()
        .map(|text| parse("test", text).expect_err("not valid").render(false))
        .collect();
        expect![[r#"
            error: test:7: spec.request: unrecognized field name 'cpus'
            hint: its fields are cpuMillis, memoryBytes, diskBytes, networkBps, gpuMillis, counts
            error: test:2: spec.count: out of range integral type conversion attempted
            error: test:2: spec.count: invalid digit found in string
            error: test:1: unknown kind "Pod"
            hint: kind is one of Owner, Tenant, Node, Job, JobTemplate
            error: test:1: a JobTemplate cannot be applied
            hint: offpeak submit -f FILE --set NAME=VALUE submits a job made from it
            error: test:1: expected mapping start
            error: test:2: unclosed bracket '['
            error: test:3: duplicate mapping key: name
            error: test: spec.gang: invalid type: integer `1`, expected a boolean at line 1 column 34
        "#]].assert_eq(&refusals);
    }
}
