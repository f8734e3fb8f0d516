//! JSON Schema of every shape.

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use bgledger_core::{ErrorClass, ErrorCode, FlowView, HistoryEvent, ImportReport, Request, Response, TaskView};
use clap::ValueEnum;
use schemars::generate::SchemaSettings;
use schemars::{SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

/// Print the JSON Schema of what goes in and out
///
/// Without a shape it prints an object with the schema of each, by name.
#[derive(Debug, clap::Args)]
pub(crate) struct Schema {
    /// Which shape
    shape: Option<Shape>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shape {
    /// What `call` reads
    Request,
    /// What follows "ok", and what every verb prints with --json
    Response,
    /// A task
    Task,
    /// A flow
    Flow,
    /// An event, as in `history` and `watch`
    Event,
    /// What `import` prints with --json
    Import,
    /// What follows "error"
    Error,
}

impl Schema {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let schema = match self.shape {
            Some(shape) => one(shape),
            None => {
                let named = |shape: &Shape| Some((shape.to_possible_value()?.get_name().to_owned(), one(*shape)));
                Value::Object(Shape::value_variants().iter().filter_map(named).collect::<Map<_, _>>())
            }
        };
        context.out.text(&format!("{schema:#}\n"))?;
        Ok(Exit::Done)
    }
}

fn one(shape: Shape) -> Value {
    let (reading, writing) = (SchemaSettings::draft2020_12(), SchemaSettings::draft2020_12().for_serialize());
    let told = |settings: SchemaSettings| SchemaGenerator::new(settings);
    match shape {
        Shape::Request => with_id(told(reading).into_root_schema_for::<Request>().to_value()),
        Shape::Response => told(writing).into_root_schema_for::<Response>().to_value(),
        Shape::Task => told(writing).into_root_schema_for::<TaskView>().to_value(),
        Shape::Flow => told(writing).into_root_schema_for::<FlowView>().to_value(),
        Shape::Event => told(writing).into_root_schema_for::<HistoryEvent>().to_value(),
        Shape::Import => told(writing).into_root_schema_for::<ImportReport>().to_value(),
        Shape::Error => error(told(writing)),
    }
}

/// A request may hold an id beside its command.
fn with_id(mut request: Value) -> Value {
    let commands = request.get_mut("oneOf").and_then(Value::as_array_mut);
    for command in commands.into_iter().flatten() {
        if let Some(properties) = command.get_mut("properties").and_then(Value::as_object_mut) {
            properties.insert("id".to_owned(), json!({"description": "echoed in the response"}));
        }
    }
    request
}

fn error(mut generator: SchemaGenerator) -> Value {
    let class = generator.subschema_for::<ErrorClass>();
    let codes: Vec<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    let definitions = generator.take_definitions(true);
    json_schema!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Error",
        "type": "object",
        "description": "beside these it has the fields that matter for its code",
        "properties": {
            "code": {"type": "string", "examples": codes, "description": "the stable word"},
            "class": class,
            "message": {"type": "string", "description": "for people"},
            "hint": {"type": ["string", "null"], "description": "what a person may do"}
        },
        "required": ["code", "class", "message", "hint"],
        "$defs": definitions
    })
    .to_value()
}
