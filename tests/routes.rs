//! The table of routes is sound, is what its rules and Google's documents make, and is what the
//! documentation says.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test reads the files of the tree"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const CLASSES: [&str; 3] = ["inference", "stateful", "admin"];
const VERSIONS: [&str; 2] = ["v1", "v1beta1"];
const LOCATION: &str = "/projects/{project}/locations/{location}";
const NOT_IN_DISCOVERY: &str = "not in discovery: ";

#[derive(Clone, PartialEq, Debug)]
struct Route {
    class: String,
    method: String,
    permissions: Vec<String>,
    versions: Vec<String>,
    http: String,
    model: String,
    answer: String,
    tokens: String,
    caps: Vec<String>,
    operation: String,
    without: String,
    path: String,
    comment: Option<String>,
}

impl Route {
    fn parse(line: &str) -> Self {
        let (columns, comment) = match line.split_once('#') {
            Some((columns, comment)) => (columns, Some(comment.trim().to_owned())),
            None => (line, None),
        };
        let columns: Vec<_> = columns.split_whitespace().map(str::to_owned).collect();
        let [
            class,
            method,
            permissions,
            versions,
            http,
            model,
            answer,
            tokens,
            caps,
            operation,
            without,
            path,
        ] = &columns[..]
        else {
            panic!("{} columns: {line}", columns.len());
        };
        let list = |text: &String| text.split(',').map(str::to_owned).collect();
        Self {
            class: class.clone(),
            method: method.clone(),
            permissions: list(permissions),
            versions: list(versions),
            http: http.clone(),
            model: model.clone(),
            answer: answer.clone(),
            tokens: tokens.clone(),
            caps: list(caps),
            operation: operation.clone(),
            without: without.clone(),
            path: path.clone(),
            comment,
        }
    }

    /// As roles say it.
    fn full_name(&self) -> String {
        if self.class == "inference" {
            self.method.clone()
        } else {
            format!("{}/{}", self.class, self.method)
        }
    }

    fn in_discovery(&self) -> bool {
        self.comment.is_none()
    }

    /// Whether a route of Google's covers this one: the same, but for the names of variables and
    /// for literals of ours in place of a variable.
    fn is_in(&self, listed: &str) -> bool {
        let ours: Vec<_> = segments(&self.path).collect();
        let theirs: Vec<_> = segments(listed).collect();
        ours.len() == theirs.len()
            && ours.iter().zip(theirs).all(|((segment, verb), (known, known_verb))| {
                *verb == known_verb
                    && (*segment == known || variable(known).is_some())
                    && (variable(segment).is_none() || variable(known).is_some())
            })
    }
}

/// The segments of a path, each with the verb behind it.
fn segments(path: &str) -> impl Iterator<Item = (&str, &str)> {
    path.split('/').map(|segment| segment.split_once(':').unwrap_or((segment, "")))
}

fn variable(segment: &str) -> Option<&str> {
    segment.strip_prefix('{').and_then(|name| name.strip_suffix('}'))
}

fn variables(path: &str) -> Vec<&str> {
    segments(path).filter_map(|(segment, _)| variable(segment)).collect()
}

fn tree(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(tree(name)).unwrap_or_else(|why| panic!("{name}: {why}"))
}

fn routes() -> Vec<Route> {
    let text = read("src/vertex/routes.txt");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let routes: Vec<_> = lines.map(Route::parse).collect();
    assert!((100..=200).contains(&routes.len()), "{} routes: too many to review?", routes.len());
    routes
}

#[test]
fn every_column_holds_what_it_may() {
    for route in routes() {
        assert!(CLASSES.contains(&route.class.as_str()), "{route:?}");
        assert!(["GET", "POST", "PATCH", "DELETE"].contains(&route.http.as_str()), "{route:?}");
        let known = VERSIONS.map(str::to_owned);
        let versions = &route.versions[..];
        assert!(
            versions == known || versions.len() == 1 && known.contains(&versions[0]),
            "{route:?}"
        );
        let why = route.comment.as_ref().map(|comment| comment.strip_prefix(NOT_IN_DISCOVERY));
        assert!(why.is_none_or(|why| why.is_some_and(|why| !why.is_empty())), "{route:?}");
        for permission in &route.permissions {
            let words: Vec<_> = permission.split('.').collect();
            let well_formed = words.len() == 3
                && words[0] == "aiplatform"
                && words
                    .iter()
                    .all(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphabetic()));
            assert!(well_formed || route.permissions == ["?"], "{route:?}");
        }
    }
}

#[test]
fn answers_of_one_method_are_alike_and_inference_says_what_it_takes() {
    let mut answers = BTreeMap::new();
    for route in routes() {
        let done = route.method.rsplit('.').next().unwrap();
        let streams = ["stream", "serverStreaming"].iter().any(|word| done.starts_with(word));
        assert_eq!(route.answer, if streams { "stream" } else { "whole" }, "{route:?}");
        let is_read = route.http == "GET" || route.tokens != "none";
        assert!(route.class != "inference" || is_read, "{route:?}");
        assert!(route.http == "POST" || route.tokens == "none", "{route:?}");
        let is_counting = ["countTokens", "computeTokens"].contains(&route.method.as_str());
        assert_eq!(route.tokens == "counted", is_counting, "{route:?}");
        assert!(route.caps == ["-"] || route.tokens == "generated", "{route:?}");
        let answer = (route.answer, route.tokens, route.caps, route.operation);
        let first = answers.entry((route.class, route.method)).or_insert_with(|| answer.clone());
        assert_eq!(*first, answer);
    }
}

#[test]
fn a_method_is_named_by_the_rule() {
    for route in routes() {
        let (_, verb) = segments(&route.path).last().unwrap();
        let owner = route.path.split(':').next().unwrap();
        let of_model = owner.ends_with("/publishers/{publisher}/models/{model}")
            || owner.ends_with("/endpoints/{endpoint}");
        if of_model && !verb.is_empty() {
            assert_eq!(route.method, verb, "{route:?}");
        } else if owner.ends_with("/models/count-tokens") {
            assert_eq!((route.method.as_str(), verb), ("countTokens", "rawPredict"));
        } else {
            let (resource, done) = route.method.split_once('.').unwrap();
            assert!(verb.is_empty() || verb == done, "{route:?}");
            let plain = |word: &str| word.chars().all(|c| c.is_ascii_alphabetic());
            assert!(plain(resource) && plain(done), "{route:?}");
        }
    }
}

#[test]
fn a_name_belongs_to_one_class() {
    let mut classes = BTreeMap::<_, BTreeSet<_>>::new();
    for route in routes() {
        assert!(!route.method.contains('/'), "{route:?}");
        classes.entry(route.method).or_default().insert(route.class);
    }
    for (method, classes) in classes {
        assert_eq!(classes.len(), 1, "{method} is of {classes:?}");
    }
}

#[test]
fn no_route_stands_twice() {
    let mut seen = BTreeSet::new();
    for route in routes() {
        for version in route.versions {
            assert!(
                seen.insert((route.http.clone(), version, route.path.clone())),
                "{}",
                route.path
            );
        }
    }
}

#[test]
fn the_table_is_sorted_by_class_path_and_http_method() {
    let key = |route: &Route| {
        let class = CLASSES.iter().position(|class| *class == route.class);
        (class, route.path.clone(), route.http.clone())
    };
    assert!(routes().is_sorted_by_key(key));
}

#[test]
fn variables_are_what_roles_decide_on_or_ids() {
    let mut names = BTreeMap::new();
    for route in routes() {
        assert!(route.path.starts_with('/'), "{route:?}");
        for (segment, verb) in segments(&route.path).skip(1) {
            let name = variable(segment).unwrap_or(segment);
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
            assert!(!name.is_empty() && name.chars().all(plain), "{route:?}");
            assert!(verb.chars().all(|c| c.is_ascii_alphabetic()), "{route:?}");
        }
        let found = variables(&route.path);
        assert_eq!(found.len(), found.iter().collect::<BTreeSet<_>>().len(), "{route:?}");
        // A tree that is walked without going back needs one name for the variables of a place.
        for (index, _) in route.path.match_indices('{') {
            let (before, name) = route.path.split_at(index);
            let name = name.split('}').next().unwrap().to_owned();
            let former = names.entry(before.to_owned()).or_insert_with(|| name.clone());
            assert_eq!(*former, name, "{before}");
        }
    }
    let decided = |place: &str| names.get(place).map(String::as_str);
    assert_eq!(decided("/projects/"), Some("{project"));
    assert_eq!(decided("/projects/{project}/locations/"), Some("{location"));
    assert_eq!(decided(&format!("{LOCATION}/endpoints/")), Some("{endpoint"));
    assert_eq!(decided(&format!("{LOCATION}/publishers/")), Some("{publisher"));
    assert_eq!(decided(&format!("{LOCATION}/publishers/{{publisher}}/models/")), Some("{model"));
    assert_eq!(decided(&format!("{LOCATION}/models/")), Some("{projectModel"));
    assert_eq!(decided("/publishers/"), Some("{publisher"));
}

#[test]
fn a_model_is_named_in_one_place() {
    for route in routes() {
        let in_path =
            variables(&route.path).iter().any(|name| ["model", "endpoint"].contains(name));
        let member = route.model.strip_prefix("body:");
        match (route.model.as_str(), member) {
            ("path", _) => assert!(in_path, "{route:?}"),
            ("none", _) => assert!(!in_path, "{route:?}"),
            (_, Some(member)) => {
                assert!(["model", "baseModel"].contains(&member), "{route:?}");
                assert!(!in_path && route.http == "POST", "{route:?}");
            }
            _ => panic!("{route:?}"),
        }
    }
}

#[test]
fn only_publishers_catalogues_are_read_as_inference_and_lack_a_project() {
    let mut without_project = BTreeSet::new();
    for route in routes() {
        if !route.path.starts_with("/projects/{project}/") {
            without_project.insert(route.full_name());
        }
        let catalogue = ["models.list", "models.get"].contains(&route.method.as_str());
        assert!(route.class != "inference" || catalogue == (route.http != "POST"), "{route:?}");
        let in_location = route.path.starts_with(&format!("{LOCATION}/"));
        assert!(in_location || catalogue || route.full_name() == "admin/enableModel", "{route:?}");
    }
    assert_eq!(without_project, ["models.get", "models.list"].map(str::to_owned).into());
}

#[test]
fn what_changes_a_project_or_names_its_state_is_no_inference() {
    let routes = routes();
    for (part, class) in [
        (":deployModel", "admin"),
        (":undeployModel", "admin"),
        ("IamPolicy", "admin"),
        (":testIamPermissions", "admin"),
        ("PublisherModelConfig", "admin"),
        (":upload", "admin"),
        (":export", "admin"),
        ("/cachedContents", "stateful"),
        ("/batchPredictionJobs", "stateful"),
        ("/tuningJobs", "stateful"),
        ("/operations", "stateful"),
        ("/responses", "stateful"),
        ("/files", "stateful"),
        ("/interactions", "stateful"),
        ("/sessions", "stateful"),
        ("/memories", "stateful"),
        (":predictLongRunning", "stateful"),
        (":fetchPredictOperation", "stateful"),
        ("uery", "stateful"),
    ] {
        let mut concerned = routes.iter().filter(|route| route.path.contains(part)).peekable();
        assert!(concerned.peek().is_some(), "no route has {part}");
        assert!(concerned.all(|route| route.class == class), "{part} is not {class} alone");
    }
    let changes = |route: &&Route| ["PATCH", "DELETE"].contains(&route.http.as_str());
    assert!(routes.iter().filter(changes).all(|route| route.class != "inference"));
}

#[test]
fn every_route_is_in_googles_documents_or_says_why_not() {
    let folder = tree("../shared/samples/routes");
    if !folder.exists() {
        return;
    }
    let mut documents = BTreeMap::new();
    for version in VERSIONS {
        let list = folder.join(format!("aiplatform.{version}.routes.txt"));
        let list = fs::read_to_string(list).unwrap();
        for line in list.lines().filter(|line| !line.starts_with('#')) {
            let (http, rest) = line.split_once(' ').unwrap();
            let path = rest.split(' ').next().unwrap();
            let path = path.strip_prefix(&format!("/{version}")).unwrap().to_owned();
            documents.entry((version, http.to_owned())).or_insert_with(Vec::new).push(path);
        }
    }
    for route in routes() {
        for version in VERSIONS {
            let listed = documents
                .get(&(version, route.http.clone()))
                .is_some_and(|paths| paths.iter().any(|path| route.is_in(path)));
            let ours = route.versions.iter().any(|ours| ours == version);
            assert_eq!(listed, ours && route.in_discovery(), "{version} {route:?}");
        }
    }
}

#[test]
fn a_literal_of_ours_may_stand_for_a_variable_of_googles_but_not_the_other_way() {
    let route = |path: &str| Route { path: path.to_owned(), ..routes()[0].clone() };
    let chat = route("/endpoints/openapi/chat/completions");
    assert!(chat.is_in("/endpoints/{endpointsId}/chat/completions"));
    assert!(!chat.is_in("/endpoints/{endpointsId}/chat"));
    assert!(!route("/endpoints/{endpoint}/completions").is_in("/endpoints/openapi/completions"));
    assert!(!route("/endpoints/{endpoint}:explain").is_in("/endpoints/{endpointsId}:predict"));
}

#[test]
fn every_method_is_documented_by_class_with_its_permissions() {
    let mut methods = BTreeMap::<_, BTreeMap<_, BTreeSet<_>>>::new();
    for route in routes() {
        let names = methods.entry(route.class.clone()).or_default();
        names.entry(route.full_name()).or_default().extend(route.permissions);
    }
    let page = read("docs/routes.md");
    for class in CLASSES {
        let section = page.to_lowercase().find(&format!("\n## {class}\n")).unwrap();
        let section = page[section + 4..].split("\n## ").next().unwrap();
        let rows = section.lines().filter(|line| line.starts_with("| `"));
        let mut documented = BTreeMap::new();
        for row in rows {
            let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
            let [name, meaning, permissions] = &cells[..] else { panic!("{row}") };
            assert!(!meaning.is_empty(), "{row}");
            let permissions = permissions.split(", ").map(|permission| {
                let name = permission.trim_matches('`');
                if name == "?" { name.to_owned() } else { format!("aiplatform.{name}") }
            });
            let name = name.trim_matches('`').to_owned();
            assert!(documented.insert(name, permissions.collect()).is_none(), "{row}");
        }
        assert_eq!(documented, methods[class], "docs/routes.md, {class}");
    }
}

/// A folder with lists of the table's own routes, changed by `change`, for the generator to read.
fn lists(name: &str, change: impl Fn(&str, &mut Vec<String>)) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    for version in VERSIONS {
        let has = |route: &Route| route.versions.iter().any(|ours| ours == version);
        let listed = routes().into_iter().filter(|route| route.in_discovery() && has(route));
        let line = |route: Route| format!("{} /{version}{} -> Answer", route.http, route.path);
        let mut lines: Vec<_> = listed.map(line).collect();
        change(version, &mut lines);
        let list = folder.join(format!("aiplatform.{version}.routes.txt"));
        fs::write(list, lines.join("\n")).unwrap();
    }
    folder
}

fn check(folder: &Path) -> (Output, String) {
    let output =
        Command::new(tree("packaging/routes")).arg("--check").arg(folder).output().unwrap();
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    (output, said)
}

#[test]
fn the_generator_writes_this_table() {
    let (output, said) = check(&lists("routes-as-they-are", |_, _| ()));
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("no rule decides"), "{said}");
    let samples = tree("../shared/samples/routes");
    if samples.exists() {
        let (output, said) = check(&samples);
        assert!(output.status.success() && !said.contains("no rule decides"), "{said}");
    }
}

#[test]
fn the_generator_takes_in_no_new_route_but_tells_of_it() {
    let models = format!("{LOCATION}/publishers/{{publisher}}/models/{{model}}");
    let new = [
        format!("{models}:dreamContent"),
        format!("{LOCATION}/endpoints/{{endpoint}}:dream"),
        format!("{LOCATION}/endpoints/openapi/audio"),
        format!("{LOCATION}/publishers/{{publisher}}/files/{{file}}/copy"),
    ];
    let folder = lists("routes-with-new-ones", |version, lines| {
        lines.extend(new.iter().map(|path| format!("POST /{version}{path} -> Answer")));
        lines.push(format!("POST /{version}{LOCATION}/datasets -> Answer"));
        lines.push(format!("POST /{version}{models}/invoke/{{invokeId}} -> Answer"));
    });
    let (output, said) = check(&folder);
    assert!(output.status.success(), "{said}");
    for path in &new {
        let path = path.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest));
        let path = path.collect::<Vec<_>>().join("{}");
        assert!(said.contains(&format!("no rule decides on POST {path}\n")), "{path}: {said}");
    }
    assert_eq!(said.matches("no rule decides").count(), new.len(), "{said}");
}

#[test]
fn the_generator_fails_where_a_route_is_gone_or_the_table_is_another() {
    let predict = ":serverStreamingPredict";
    let gone = lists("routes-without-one", |_, lines| lines.retain(|line| !line.contains(predict)));
    let (output, said) = check(&gone);
    assert!(!output.status.success() && said.contains("in no document"), "{said}");
    assert!(said.contains(predict), "{said}");

    let moved = lists("routes-of-one-version", |version, lines| {
        lines.retain(|line| version == "v1" || !line.contains(predict));
    });
    let (output, said) = check(&moved);
    assert!(!output.status.success() && said.contains("make routes"), "{said}");

    let unlisted = routes().into_iter().find(|route| !route.in_discovery()).unwrap();
    let found = lists("routes-with-one-unlisted", |version, lines| {
        lines.push(format!("{} /{version}{} -> Answer", unlisted.http, unlisted.path));
    });
    let (output, said) = check(&found);
    assert!(!output.status.success() && said.contains("a document has it now"), "{said}");
}
