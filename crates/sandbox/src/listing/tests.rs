use super::*;

fn nodes() -> GroupResource {
    GroupResource::new("", "nodes")
}

fn store() -> Store {
    let mut store = Store::new(100);
    for name in ["w1", "w2", "w3", "w4", "w5"] {
        let object = json!({"metadata": {"name": name, "labels": {"l": name}}});
        store.create(&nodes(), "", name, object).expect("is new");
    }
    store
}

fn options(query: &str) -> ListOptions {
    let pair = |part: &str| part.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    ListOptions::parse(&query.split('&').filter_map(pair).collect::<Vec<_>>()).expect(query)
}

fn names(page: &Page) -> String {
    let name = |object: &Arc<Value>| object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    page.items.iter().map(name).collect::<Vec<_>>().join(" ")
}

fn ask(store: &Store, query: &str) -> Result<Page, Refused> {
    list(store, &nodes(), None, &options(query), &|_| true)
}

#[test]
fn pages_are_the_servers() {
    let all = "w1 w2 w3 w4 w5";
    let table = [
        ("", all, None),
        ("limit=-1", all, None),
        ("limit=5", all, None),
        ("limit=2&resourceVersion=0", all, None),
        ("resourceVersion=3", all, None),
        ("limit=2", "w1 w2", Some(3)),
        ("limit=2&labelSelector= ", "w1 w2", Some(3)),
        ("limit=2&fieldSelector=,", "w1 w2", Some(3)),
        ("limit=2&resourceVersion=3&resourceVersionMatch=NotOlderThan", "w1 w2", Some(3)),
        ("limit=1&resourceVersion=3", "w1", Some(1)),
        ("resourceVersion=3&resourceVersionMatch=Exact", "w1 w2", None),
        ("resourceVersion=1&resourceVersionMatch=Exact", "", None),
    ];
    for (query, expected, remaining) in table {
        let page = ask(&store(), query).expect(query);
        assert_eq!((names(&page).as_str(), page.remaining), (expected, remaining), "{query}");
        assert_eq!(page.continue_.is_some(), remaining.is_some(), "{query}");
    }
}

#[test]
fn pages_of_one_list_are_of_one_revision() {
    let mut store = store();
    let first = ask(&store, "limit=2").expect("a page");
    let token = first.continue_.expect("there is more");
    assert_eq!(token, Token { revision: 6, start: "/w2\0".to_owned() }.encode());
    store.delete(&nodes(), "", "w3");
    store.create(&nodes(), "", "w2-a", json!({})).expect("is new");
    let table =
        [("&limit=2", "w3 w4", true), ("", "w3 w4 w5", false), ("&limit=1&resourceVersion=0", "w3 w4 w5", false)];
    for (rest, expected, more) in table {
        let page = ask(&store, &format!("continue={token}{rest}")).expect(rest);
        assert_eq!((names(&page).as_str(), page.revision, page.continue_.is_some()), (expected, 6, more));
    }
}

#[test]
fn selectors_hide_how_many_remain() {
    let matches = |object: &Value| object["metadata"]["labels"]["l"] != "w2";
    let page = list(&store(), &nodes(), None, &options("limit=2&labelSelector=l!=w2"), &matches).expect("a page");
    assert_eq!((names(&page).as_str(), page.remaining), ("w1 w3", None));
    assert_eq!(page.continue_, Some(Token { revision: 6, start: "/w3\0".to_owned() }.encode()));
    let one = |object: &Value| object["metadata"]["name"] == "w2";
    let page =
        list(&store(), &nodes(), None, &options("limit=1&fieldSelector=metadata.name=w2"), &one).expect("a page");
    assert_eq!((names(&page).as_str(), page.continue_), ("w2", None));
}

#[test]
fn namespaces_are_left_out_of_tokens_where_they_are_in_the_path() {
    let pods = GroupResource::new("", "pods");
    let mut store = Store::new(100);
    for (namespace, name) in [("zz", "a"), ("zz-b", "b"), ("zz-b", "c"), ("zz", "d")] {
        store.create(&pods, namespace, name, json!({"metadata": {"name": name}})).expect("is new");
    }
    let table = [(None, "b", "/zz-b/b\0", "c"), (Some("zz"), "a", "/a\0", "d"), (Some("zz-b"), "b", "/b\0", "c")];
    for (namespace, first, start, second) in table {
        let page = list(&store, &pods, namespace, &options("limit=1"), &|_| true).expect("a page");
        let token = page.continue_.clone().expect("there is more");
        assert_eq!((names(&page).as_str(), token), (first, Token { revision: 5, start: start.to_owned() }.encode()));
        let next = ListOptions { limit: 1, continue_: page.continue_.unwrap_or_default(), ..ListOptions::default() };
        assert_eq!(names(&list(&store, &pods, namespace, &next, &|_| true).expect("a page")), second);
    }
}

#[test]
fn refusals_are_the_servers() {
    let mut store = store();
    let token = ask(&store, "limit=2").expect("a page").continue_.expect("there is more");
    store.delete(&nodes(), "", "w5");
    store.compact(7);
    let future = Token { revision: 99, start: "a".to_owned() }.encode();
    let table = [
        (
            format!("continue={token}&resourceVersion=5"),
            400,
            "specifying resource version is not allowed when using continue",
        ),
        (
            "resourceVersion=abc".to_owned(),
            400,
            r#"invalid resource version: resourceVersion: Invalid value: "abc": strconv.ParseUint: parsing "abc": invalid syntax"#,
        ),
        ("resourceVersion=99".to_owned(), 504, "Timeout: Too large resource version: 99, current: 7"),
        ("resourceVersion=99&limit=1".to_owned(), 504, "Timeout: Too large resource version: 99, current: 7"),
        (format!("continue={future}"), 504, "Timeout: Too large resource version: 99, current: 7"),
        (
            "resourceVersion=6&resourceVersionMatch=Exact".to_owned(),
            410,
            "The resourceVersion for the provided list is too old.",
        ),
        ("resourceVersion=6&limit=1".to_owned(), 410, "The resourceVersion for the provided list is too old."),
        (format!("continue={token}"), 410, CONTINUE_EXPIRED),
    ];
    for (query, code, expected) in table {
        let failure = ask(&store, &query).expect_err(&query).failure;
        assert_eq!((failure.code, failure.message.as_str()), (code, expected));
    }
}

#[test]
fn a_list_that_expired_can_be_ended_inconsistently() {
    let mut store = store();
    let token = ask(&store, "limit=2").expect("a page").continue_.expect("there is more");
    store.delete(&nodes(), "", "w3");
    store.compact(7);
    let refused = ask(&store, &format!("continue={token}")).expect_err("it is too old");
    let rest = Token { revision: -1, start: "w2\0".to_owned() }.encode();
    assert_eq!(refused.to_status()["metadata"], json!({ "continue": rest }));
    assert_eq!(refused.to_status()["reason"], "Expired");
    let page = ask(&store, &format!("continue={rest}&limit=1")).expect("a page");
    assert_eq!((names(&page).as_str(), page.revision, page.remaining), ("w4", 7, Some(1)));
}

#[test]
fn the_future_is_answered_with_a_cause() {
    let status = too_large(9, 7).to_status();
    let causes = json!([{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]);
    assert_eq!(status["details"], json!({"causes": causes, "retryAfterSeconds": 1}));
    let table = [("", None), ("7", None), ("8", Some(504)), ("abc", Some(500))];
    for (revision, expected) in table {
        let mut store = store();
        store.delete(&nodes(), "", "w1");
        let options = ListOptions { resource_version: revision.to_owned(), ..ListOptions::default() };
        assert_eq!(not_ahead(&store, &options).err().map(|failure| failure.code), expected, "{revision}");
    }
}
