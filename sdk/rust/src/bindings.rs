//! What the host offers, generated from `wit/`. The crate's root re-exports it under shorter names.
#![expect(missing_docs, reason = "the generator leaves its own parts without a comment")]

wit_bindgen::generate!({
    path: "../../wit",
    world: "runwrit:host/everything",
    generate_all,
    additional_derives: [PartialEq, Eq],
    pub_export_macro: true,
    export_macro_name: "export",
    default_bindings_module: "runwrit_sdk::bindings",
});
