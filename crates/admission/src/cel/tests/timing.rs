use super::super::*;
use serde_json::json;
#[test]
fn timing() {
    let mut labels = serde_json::Map::new();
    for i in 0..170 { labels.insert(format!("feature.node.example.com/capability-{i:05}"), json!("true")); }
    let old = json!({"metadata": {"name": "n1", "labels": labels, "annotations": labels}, "spec": {"a": 1}});
    let mut new = old.clone(); new["metadata"]["labels"]["x.kubevirt.io/a"] = json!("1"); new["metadata"]["annotations"]["x.kubevirt.io/a"] = json!("1");
    let mut env = super::environment().with_variables();
    let mut vars = Variables::new();
    for (n, t) in [("newL", "has(object.metadata.labels) ? object.metadata.labels : {}"), ("oldL", "has(oldObject.metadata.labels) ? oldObject.metadata.labels : {}"), ("newA", "has(object.metadata.annotations) ? object.metadata.annotations : {}"), ("oldA", "has(oldObject.metadata.annotations) ? oldObject.metadata.annotations : {}")] {
        let p = env.compile(t, &[]); env.declare_variable(n, p.as_ref().unwrap().result_type()); vars.push(n, p);
    }
    let t0 = std::time::Instant::now();
    let mk = |l: &str, m: &str| format!("variables.{l} == variables.{m} || (variables.{l}.all(k, (k in variables.{m} && variables.{l}[k] == variables.{m}[k]) || k.startsWith('kubevirt.io/') || k.matches('^([a-z0-9-]+\\\\.)*kubevirt\\\\.io/')) && variables.{m}.all(k, k in variables.{l} || k.startsWith('kubevirt.io/')))");
    let exprs = [mk("newL", "oldL"), mk("newA", "oldA"), "object.spec == oldObject.spec".into(), "dyn(object.metadata).filter(k, k != 'labels' && k != 'annotations').all(k, k in oldObject.metadata && object.metadata[k] == oldObject.metadata[k])".into(), "object.metadata.name == 'n1'".into(), "variables.newL.filter(k, !(k in variables.oldL)).size() < 64".into(), "true".into()];
    let ps: Vec<Program> = exprs.iter().map(|e| env.compile(e, &[Type::Bool]).unwrap()).collect();
    let compile = t0.elapsed();
    let mut per = vec![];
    for p in &ps {
        let t = std::time::Instant::now();
        for _ in 0..4000 { let a = Activation::with_variables(Roots { object: Some(&new), old_object: Some(&old), ..Roots::default() }, &vars); let o = p.evaluate(&a); assert!(matches!(o.result, Ok(Value::Bool(true))), "{:?}", o.result); }
        per.push(t.elapsed() / 4000);
    }
    panic!("compile {compile:?} eval {per:?} total {:?} size {}", per.iter().sum::<std::time::Duration>(), std::mem::size_of::<Value<'_>>());
}
