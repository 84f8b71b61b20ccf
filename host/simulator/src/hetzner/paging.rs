//! Lists: filters, label selector, order and pages.

use std::cmp::Ordering;

use serde_json::{Value, json};

use super::labels::Labels;
use super::project::{Kind, Project};
use super::refusal::Refusal;
use super::request::{Input, Pages, Reply};
use super::selector::Selector;

const PER_PAGE: usize = 25;

/// What a collection may be asked.
#[derive(Debug, Clone, Copy)]
pub struct Listing {
    /// The key of the items in the body.
    pub key: &'static str,
    pub kind: Option<Kind>,
    pub sortable: &'static [&'static str],
    /// Fields that must equal one of the values given, with the values that are allowed at all.
    pub filters: &'static [(&'static str, &'static [&'static str])],
    pub per_page_max: usize,
}

/// The words of an action's status.
pub const ACTION_STATUS: &[&str] = &["running", "success", "error"];

impl Listing {
    /// Describes a collection with the usual fields.
    pub const fn new(key: &'static str) -> Self {
        Self {
            key,
            kind: None,
            sortable: &["id", "name", "created"],
            filters: &[("name", &[])],
            per_page_max: 50,
        }
    }

    /// Picks, orders and cuts `documents` as the query says.
    pub fn reply(
        &self,
        project: &Project,
        input: &Input,
        mut documents: Vec<Value>,
    ) -> Result<Reply, Refusal> {
        if let Some(kind) = self.kind {
            documents.retain(|document| !project.is_hidden(kind, &plain(&document["id"])));
        }
        self.filter(input, &mut documents)?;
        self.sort(input, &mut documents)?;
        let page = page_number(input, "page", 1, usize::MAX)?;
        let per_page = page_number(input, "per_page", PER_PAGE, self.per_page_max)?;
        let total = documents.len();
        let last = total.div_ceil(per_page).max(1);
        let items: Vec<Value> = documents
            .into_iter()
            .skip((page - 1).saturating_mul(per_page))
            .take(per_page)
            .collect();
        let pagination = json!({
            "page": page,
            "per_page": per_page,
            "previous_page": (page > 1).then(|| page - 1),
            "next_page": (page < last).then(|| page + 1),
            "last_page": last,
            "total_entries": total,
        });
        let body = json!({self.key: items, "meta": {"pagination": pagination}});
        Ok(Reply { status: 200, body: Some(body), pages: Some(Pages { page, last }) })
    }

    fn filter(&self, input: &Input, documents: &mut Vec<Value>) -> Result<(), Refusal> {
        for (field, allowed) in self.filters {
            let wanted = input.every(field);
            if let Some(odd) =
                wanted.iter().find(|value| !allowed.is_empty() && !allowed.contains(value))
            {
                return Err(Refusal::invalid(field, format!("{odd} is no valid value")));
            }
            documents.retain(|document| {
                wanted.is_empty() || wanted.contains(&plain(&document[*field]).as_str())
            });
        }
        if let Some(text) = input.first("label_selector") {
            let selector = Selector::parse(text)?;
            documents.retain(|document| selector.matches(&labels_of(document)));
        }
        Ok(())
    }

    fn sort(&self, input: &Input, documents: &mut [Value]) -> Result<(), Refusal> {
        let mut orders = Vec::new();
        for order in input.every("sort") {
            let (field, direction) = order.split_once(':').unwrap_or((order, "asc"));
            if !self.sortable.contains(&field) || !["asc", "desc"].contains(&direction) {
                return Err(Refusal::invalid("sort", format!("{order} is no valid order")));
            }
            orders.push((field, direction == "desc"));
        }
        documents.sort_by(|one, other| {
            orders
                .iter()
                .map(|(field, is_descending)| {
                    let order = compare(&one[*field], &other[*field]);
                    if *is_descending { order.reverse() } else { order }
                })
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        });
        Ok(())
    }
}

/// Returns the labels of a document.
pub fn labels_of(document: &Value) -> Labels {
    document["labels"].as_object().map_or_else(Labels::new, |labels| {
        labels.iter().map(|(key, value)| (key.clone(), plain(value))).collect()
    })
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn compare(one: &Value, other: &Value) -> Ordering {
    match (one.as_u64(), other.as_u64()) {
        (Some(one), Some(other)) => one.cmp(&other),
        _ => plain(one).cmp(&plain(other)),
    }
}

// The API caps `per_page` silently; only what is no positive number is refused.
fn page_number(input: &Input, name: &str, usual: usize, most: usize) -> Result<usize, Refusal> {
    match input.first(name) {
        None => Ok(usual),
        Some(text) => match text.parse::<usize>() {
            Ok(number) if number > 0 => Ok(number.min(most)),
            _ => Err(Refusal::invalid(name, "must be a positive integer")),
        },
    }
}

/// Returns the `Link` header of a page; `query` holds the other parameters.
pub fn link_header(address: &str, query: &[(String, String)], pages: Pages) -> String {
    let link = |page: usize, relation: &str| {
        let kept = query.iter().filter(|(key, _)| key != "page");
        let pairs: Vec<String> = std::iter::once(format!("page={page}"))
            .chain(kept.map(|(key, value)| format!("{}={}", encoded(key), encoded(value))))
            .collect();
        format!("<{address}?{}>; rel=\"{relation}\"", pairs.join("&"))
    };
    let mut links = Vec::new();
    if pages.page > 1 {
        links.push(link(pages.page - 1, "prev"));
    }
    if pages.page < pages.last {
        links.push(link(pages.page + 1, "next"));
    }
    links.push(link(pages.last, "last"));
    links.join(", ")
}

fn encoded(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes()
        .map(
            |byte| {
                if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
            },
        )
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::catalogue::Catalogue;
    use super::super::options::Settings;
    use super::*;

    fn ask(query: &str, count: u64) -> Result<Reply, Refusal> {
        let project = Project::new("p", 0, Arc::new(Settings::default()), Catalogue::default());
        let query = super::super::request::query_pairs(query);
        let input = Input { parameters: Vec::new(), query: &query, body: Value::Null };
        let documents = (1..=count)
            .map(|id| {
                let labels = json!({"parity": (id % 2).to_string()});
                json!({"id": id, "name": format!("n{id}"), "labels": labels})
            })
            .collect();
        Listing::new("things").reply(&project, &input, documents)
    }

    #[test]
    fn pages_tell_their_neighbours() {
        let rows = [
            ("", 0, 0, json!([1, 25, null, null, 1, 0])),
            ("", 60, 25, json!([1, 25, null, 2, 3, 60])),
            ("page=2", 60, 25, json!([2, 25, 1, 3, 3, 60])),
            ("page=3", 60, 10, json!([3, 25, 2, null, 3, 60])),
            ("page=9", 60, 0, json!([9, 25, 8, null, 3, 60])),
            ("per_page=50", 60, 50, json!([1, 50, null, 2, 2, 60])),
            ("per_page=500", 60, 50, json!([1, 50, null, 2, 2, 60])),
            ("label_selector=parity%3D0", 60, 25, json!([1, 25, null, 2, 2, 30])),
            ("name=n7", 60, 1, json!([1, 25, null, null, 1, 1])),
        ];
        for (query, count, shown, pagination) in rows {
            let body = ask(query, count).expect(query).body.unwrap_or_default();
            assert_eq!(body["things"].as_array().map(Vec::len), Some(shown), "{query}");
            let found = &body["meta"]["pagination"];
            let keys =
                ["page", "per_page", "previous_page", "next_page", "last_page", "total_entries"];
            assert_eq!(json!(keys.map(|key| &found[key])), pagination, "{query}");
        }
    }

    #[test]
    fn odd_queries_are_refused() {
        for query in
            ["page=0", "page=x", "per_page=-1", "sort=secret", "sort=id:up", "label_selector=%3D"]
        {
            assert_eq!(ask(query, 3).expect_err(query).code, "invalid_input", "{query}");
        }
    }

    #[test]
    fn orders_are_numeric_and_can_be_reversed() {
        let body = ask("sort=id:desc", 11).expect("a list").body.unwrap_or_default();
        assert_eq!(body["things"][0]["id"], 11);
        let body = ask("sort=name", 11).expect("a list").body.unwrap_or_default();
        assert_eq!(body["things"][1]["name"], "n10");
    }

    #[test]
    fn links_keep_the_other_parameters() {
        let query = super::super::request::query_pairs("page=2&label_selector=a%3Db");
        let header = link_header("http://h/v1/servers", &query, Pages { page: 2, last: 3 });
        let expected = "<http://h/v1/servers?page=1&label_selector=a%3Db>; rel=\"prev\", \
            <http://h/v1/servers?page=3&label_selector=a%3Db>; rel=\"next\", \
            <http://h/v1/servers?page=3&label_selector=a%3Db>; rel=\"last\"";
        assert_eq!(header, expected);
    }
}
