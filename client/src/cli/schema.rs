//! `offpeak schema`: the JSON schema (draft 2020-12) of the files that `apply` and `submit -f` read, made from the API's
//! descriptors, so that it cannot say anything else than the API does. What a field means is what its comment says.

use std::collections::BTreeMap;

use offpeak::v1::{Job, Node, Owner, Tenant};
use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use super::json::{Described, descriptor};

/// Fields of a noun from this number on are the cell's to fill; whoever applies them is not heard.
const FIRST_OUTPUT: u32 = 20;

/// The schema as text.
pub(crate) fn text() -> String {
    let schema = serde_json::to_string_pretty(&schema());
    schema.expect("invariant: a schema is plain JSON") + "\n"
}

fn schema() -> Value {
    let mut writer = Writer::default();
    let documents = [
        writer.document::<Owner>(),
        writer.document::<Tenant>(),
        writer.document::<Node>(),
        writer.document::<Job>(),
        writer.template(),
    ];
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://offpeak.dev/schema/offpeak.v1.json",
        "title": "What offpeak apply and offpeak submit read",
        "description": "Each document of a YAML file, or a JSON object.",
        "oneOf": documents,
        "$defs": writer.definitions,
    })
}

#[derive(Default)]
struct Writer {
    definitions: BTreeMap<String, Value>,
    /// Values may be parameters of a template.
    templated: bool,
}

impl Writer {
    /// A document of this kind, as a reference to it.
    fn document<M: Described>(&mut self) -> Value {
        let message = descriptor::<M>();
        let mut document = self.object(&message, true);
        let fields = document.get_mut("properties").and_then(Value::as_object_mut);
        let fields = fields.expect("invariant: an object has properties");
        fields.insert("kind".to_owned(), json!({ "const": message.name() }));
        document.insert("required".to_owned(), json!(["kind", "name"]));
        let name = format!("{}Document", message.name());
        self.definitions.insert(name.clone(), Value::Object(document));
        json!({ "$ref": format!("#/$defs/{name}") })
    }

    /// A template of a job, as a reference to it.
    fn template(&mut self) -> Value {
        self.templated = true;
        let job = self.reference(&descriptor::<Job>(), true);
        self.templated = false;
        let parameter = json!({
            "type": ["object", "null"],
            "properties": {
                "description": { "type": "string" },
                "default": { "type": ["string", "number", "boolean"] },
            },
            "additionalProperties": false,
        });
        let document = json!({
            "description": "A job with ${name} where a parameter stands; $${name} stands for ${name} itself.",
            "type": "object",
            "properties": {
                "kind": { "const": "JobTemplate" },
                "parameters": { "type": "object", "additionalProperties": parameter },
                "job": job,
            },
            "required": ["kind", "job"],
            "additionalProperties": false,
        });
        self.definitions.insert("JobTemplateDocument".to_owned(), document);
        json!({ "$ref": "#/$defs/JobTemplateDocument" })
    }

    /// The definition of a message, made if there is none.
    fn reference(&mut self, message: &MessageDescriptor, is_noun: bool) -> Value {
        let name = if self.templated {
            format!("{}Template", message.name())
        } else {
            message.name().to_owned()
        };
        let reference = json!({ "$ref": format!("#/$defs/{name}") });
        if !self.definitions.contains_key(&name) {
            self.definitions.insert(name.clone(), Value::Null);
            let object = self.object(message, is_noun);
            self.definitions.insert(name, Value::Object(object));
        }
        reference
    }

    fn object(&mut self, message: &MessageDescriptor, is_noun: bool) -> Map<String, Value> {
        let mut properties = Map::new();
        for field in message.fields() {
            let mut schema = self.field(&field);
            let schema_map = schema.as_object_mut().expect("invariant: a schema is an object");
            let comment = comment(message, field.path());
            if !comment.is_empty() {
                schema_map.insert("description".to_owned(), comment.into());
            }
            if is_noun && field.number() >= FIRST_OUTPUT {
                schema_map.insert("readOnly".to_owned(), true.into());
            }
            if field.json_name() != field.name() {
                properties.insert(field.name().to_owned(), schema.clone());
            }
            properties.insert(field.json_name().to_owned(), schema);
        }
        let mut object = Map::new();
        let comment = comment(message, message.path());
        if !comment.is_empty() {
            object.insert("description".to_owned(), comment.into());
        }
        object.insert("type".to_owned(), "object".into());
        object.insert("properties".to_owned(), properties.into());
        object.insert("additionalProperties".to_owned(), false.into());
        object
    }

    fn field(&mut self, field: &FieldDescriptor) -> Value {
        let kind = field.kind();
        if let (true, Some(entry)) = (field.is_map(), kind.as_message()) {
            let values = self.value(&entry.map_entry_value_field().kind());
            return json!({ "type": "object", "additionalProperties": values });
        }
        let value = self.value(&kind);
        if field.is_list() { json!({ "type": "array", "items": value }) } else { value }
    }

    fn value(&mut self, kind: &Kind) -> Value {
        let digits = json!({ "type": "string", "pattern": "^[0-9]+$" });
        let number = |least: i64, most: u64| {
            let number = json!({ "type": "integer", "minimum": least, "maximum": most });
            vec![number, digits.clone()]
        };
        let mut choices = match kind {
            Kind::Message(message) => match message.full_name() {
                "google.protobuf.Duration" => {
                    vec![json!({ "type": "string", "pattern": "^[0-9]+(\\.[0-9]{1,9})?s$" })]
                }
                "google.protobuf.Timestamp" => {
                    vec![json!({ "type": "string", "format": "date-time" })]
                }
                _ => return self.reference(message, false),
            },
            Kind::Enum(values) => vec![json!({ "enum": names(values) })],
            Kind::Bool => vec![json!({ "type": "boolean" })],
            Kind::String | Kind::Bytes => return json!({ "type": "string" }),
            Kind::Uint32 | Kind::Fixed32 => number(0, u32::MAX.into()),
            Kind::Uint64 | Kind::Fixed64 => number(0, u64::MAX),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => vec![
                json!({ "type": "integer", "minimum": i32::MIN, "maximum": i32::MAX }),
                json!({ "type": "string", "pattern": "^-?[0-9]+$" }),
            ],
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 | Kind::Float | Kind::Double => {
                vec![json!({ "type": ["number", "string"] })]
            }
        };
        if self.templated {
            choices.push(json!({ "type": "string", "pattern": "\\$\\{" }));
        }
        match choices.len() {
            1 => choices.remove(0),
            _ => json!({ "anyOf": choices }),
        }
    }
}

/// Those that mean something.
fn names(values: &EnumDescriptor) -> Vec<String> {
    let named = values.values().filter(|value| !value.name().ends_with("_UNSPECIFIED"));
    named.map(|value| value.name().to_owned()).collect()
}

/// The comment that stands before something in the file of a message, in one line a paragraph.
fn comment(message: &MessageDescriptor, path: &[i32]) -> String {
    let file = message.parent_file();
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let location = info.and_then(|info| info.location.iter().find(|place| place.path == path));
    let text = location.map(|place| place.leading_comments()).unwrap_or_default();
    let paragraphs = text.split("\n\n").map(|paragraph| {
        paragraph
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    });
    let paragraphs: Vec<String> = paragraphs.filter(|paragraph| !paragraph.is_empty()).collect();
    paragraphs.join("\n\n")
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    /// Editors read this file. UPDATE_EXPECT=1 writes it anew.
    #[test]
    fn the_published_schema_is_that_of_this_release() {
        expect_file!["../../../docs/schema/offpeak.v1.json"].assert_eq(&super::text());
    }
}
