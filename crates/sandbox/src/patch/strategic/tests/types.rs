//! Parts of Node and Pod, as far as strategic merge patch is concerned.

use crate::schema::{Field, List, ListMerge, PatchStrategy, Shape, Struct, Type, TypeId, Types};

/// A node and a pod in one set of types.
pub fn types() -> (Types, TypeId, TypeId) {
    let mut build = Build::default();
    let metadata = build.metadata();
    let node = build.node(metadata);
    let pod = build.pod(metadata);
    (build.0, node, pod)
}

#[derive(Default)]
struct Build(Types);

impl Build {
    fn of(&mut self, shape: Shape) -> TypeId {
        self.0.add(Type { shape, ..Type::default() })
    }

    fn text(&mut self) -> TypeId {
        self.of(Shape::Text(""))
    }

    fn texts(&mut self, names: &[&'static str]) -> Vec<(&'static str, TypeId)> {
        names.iter().map(|name| (*name, self.text())).collect()
    }

    fn map(&mut self) -> TypeId {
        let value = self.text();
        self.of(Shape::Map { value, atomic: false })
    }

    fn list(&mut self, item: TypeId, strategy: PatchStrategy) -> TypeId {
        self.of(Shape::List(List { item, merge: ListMerge::Atomic, strategy }))
    }

    fn keyed(&mut self, item: TypeId, key: &str) -> TypeId {
        let merge_key = Some(key.to_owned());
        self.list(item, PatchStrategy { merge: true, merge_key, ..PatchStrategy::default() })
    }

    fn plain_set(&mut self) -> TypeId {
        let item = self.text();
        self.list(item, PatchStrategy { merge: true, ..PatchStrategy::default() })
    }

    fn atomic(&mut self, item: TypeId) -> TypeId {
        self.list(item, PatchStrategy::default())
    }

    fn structure(&mut self, go_name: &str, fields: Vec<(&str, TypeId)>) -> TypeId {
        let field = |(name, ty): (&str, TypeId)| (name.to_owned(), Field { ty, ..Field::default() });
        let fields = fields.into_iter().map(field).collect();
        self.of(Shape::Struct(Struct { go_name: go_name.to_owned(), fields, ..Struct::default() }))
    }

    fn texts_struct(&mut self, go_name: &str, names: &[&'static str]) -> TypeId {
        let fields = self.texts(names);
        self.structure(go_name, fields)
    }

    fn metadata(&mut self) -> TypeId {
        let owner = self.texts_struct("OwnerReference", &["apiVersion", "kind", "name", "uid"]);
        let (labels, annotations) = (self.map(), self.map());
        let finalizers = self.plain_set();
        let owners = self.keyed(owner, "uid");
        let mut fields = self.texts(&["name", "namespace", "uid"]);
        fields.extend([("labels", labels), ("annotations", annotations)]);
        fields.extend([("finalizers", finalizers), ("ownerReferences", owners)]);
        self.structure("ObjectMeta", fields)
    }

    fn node(&mut self, metadata: TypeId) -> TypeId {
        let condition = self.texts_struct("NodeCondition", &["type", "status", "reason", "message"]);
        let address = self.texts_struct("NodeAddress", &["type", "address"]);
        let taint = self.texts_struct("Taint", &["key", "value", "effect"]);
        let (capacity, conditions, addresses) =
            (self.map(), self.keyed(condition, "type"), self.keyed(address, "type"));
        let (ranges, taints) = (self.plain_set(), self.atomic(taint));
        let status = [("capacity", capacity), ("conditions", conditions), ("addresses", addresses)];
        let status = self.structure("NodeStatus", status.to_vec());
        let mut spec = self.texts(&["providerID", "podCIDR"]);
        spec.extend([("podCIDRs", ranges), ("taints", taints)]);
        let spec = self.structure("NodeSpec", spec);
        let mut fields = self.texts(&["kind", "apiVersion"]);
        fields.extend([("metadata", metadata), ("spec", spec), ("status", status)]);
        self.structure("Node", fields)
    }

    fn pod(&mut self, metadata: TypeId) -> TypeId {
        let container = self.container();
        let containers = self.keyed(container, "name");
        let path = self.texts_struct("HostPathVolumeSource", &["path", "type"]);
        let empty = self.texts_struct("EmptyDirVolumeSource", &["medium"]);
        let mut volume = self.texts(&["name"]);
        volume.extend([("hostPath", path), ("emptyDir", empty)]);
        let volume = self.structure("Volume", volume);
        let merge_key = Some("name".to_owned());
        let volumes =
            self.list(volume, PatchStrategy { merge: true, retain_keys: true, merge_key, ..PatchStrategy::default() });
        let spec = self.structure("PodSpec", vec![("containers", containers), ("volumes", volumes)]);
        self.structure("Pod", vec![("metadata", metadata), ("spec", spec)])
    }

    fn container(&mut self) -> TypeId {
        let number = self.of(Shape::Integer("int32"));
        let mut port = self.texts(&["name", "protocol"]);
        port.push(("containerPort", number));
        let port = self.structure("ContainerPort", port);
        let env = self.texts_struct("EnvVar", &["name", "value"]);
        let (ports, env) = (self.keyed(port, "containerPort"), self.keyed(env, "name"));
        let argument = self.text();
        let args = self.atomic(argument);
        let mut fields = self.texts(&["name", "image"]);
        fields.extend([("ports", ports), ("env", env), ("args", args)]);
        self.structure("Container", fields)
    }
}
