//! What the types look like.

use consort_driver::{Attribute, AttributeKind as Kind, TypeSchema};
use consort_model::Kind as Node;

use super::NAME;

fn schema(node: Node, doc: &str, attributes: Vec<Attribute>) -> TypeSchema {
    TypeSchema {
        driver: NAME.into(),
        type_name: node.word().into(),
        doc: doc.into(),
        attributes,
        holds_data: false,
        open: true,
        create_before_destroy: false,
    }
}

/// Every type, in the order of the docs.
pub(super) fn all() -> Vec<TypeSchema> {
    vec![
        service(),
        schema(
            Node::Job,
            "A program that runs to its end, on a schedule or by hand.",
            vec![
                Attribute::computed("name", Kind::String, "Its name."),
                Attribute::computed("program", Kind::String, "The digest of its built program."),
            ],
        ),
        schema(
            Node::Network,
            "A set of services that find each other by name.",
            vec![Attribute::computed("name", Kind::String, "Its name.")],
        ),
        TypeSchema {
            holds_data: true,
            ..schema(
                Node::Volume,
                "A folder whose content outlives instances.",
                vec![
                    Attribute::computed("name", Kind::String, "Its name."),
                    Attribute::computed("path", Kind::String, "Its folder on this machine."),
                ],
            )
        },
        file(Node::Config, "A file that services read."),
        file(Node::Secret, "A file with a secret that services read."),
    ]
}

fn file(node: Node, doc: &str) -> TypeSchema {
    let attributes = vec![
        Attribute::computed("name", Kind::String, "Its name."),
        Attribute::computed("fingerprint", Kind::String, "Changes with its content."),
    ];
    schema(node, doc, attributes)
}

fn service() -> TypeSchema {
    let computed = Attribute::computed;
    schema(
        Node::Service,
        "A program that runs until it is stopped, in one or more instances.",
        vec![
            computed(
                "name",
                Kind::String,
                "The name by which other services find it.",
            ),
            computed(
                "url",
                Kind::String,
                "Where its first published TCP port answers on this machine, as a URL.",
            ),
            computed(
                "internal_url",
                Kind::String,
                "Where its first TCP port answers for other services, as a URL.",
            ),
            computed(
                "host",
                Kind::String,
                "The name or address that other services connect to.",
            ),
            computed(
                "port",
                Kind::Number,
                "Its first TCP port, for other services.",
            ),
            computed("address", Kind::String, "Its virtual address."),
            computed(
                "ports",
                Kind::List,
                "Its ports: target, protocol, address, and published and host_ip where they are published.",
            ),
            computed("replicas", Kind::Number, "How many instances it has."),
            computed("program", Kind::String, "The digest of its built program."),
            computed(
                "settings",
                Kind::Map,
                "Settings that only the target process reads.",
            ),
        ],
    )
}
