// SPDX-License-Identifier: Apache-2.0
// The metrics APIs as OpenAPI has them: the API server joins these documents with its own. Values.
//
// The forms of the answers are left out: their names would be those that other servers have, and who asks for metrics has
// them compiled in.

/// `/openapi/v2`.
struct OpenAPI2Document: Encodable {
    let swagger = "2.0"
    let info: OpenAPIInfo
    let paths: [String: OpenAPIPath]

    init(_ versions: [MetricsVersion], _ info: OpenAPIInfo) {
        self.info = info
        paths = Dictionary(uniqueKeysWithValues: versions.flatMap { OpenAPIPath.all(of: $0, .version2) })
    }
}

/// `/openapi/v3`: where the document of each version is.
struct OpenAPI3Index: Encodable {
    struct Place: Encodable {
        let serverRelativeURL: String
    }

    let paths: [String: Place]

    init(_ versions: [MetricsVersion]) {
        paths = Dictionary(
            uniqueKeysWithValues: versions.map { version in
                ("apis/\(version.rawValue)", Place(serverRelativeURL: "/openapi/v3/apis/\(version.rawValue)"))
            }
        )
    }
}

/// `/openapi/v3/apis/GROUP/VERSION`.
struct OpenAPI3Document: Encodable {
    let openapi = "3.0.0"
    let info: OpenAPIInfo
    let paths: [String: OpenAPIPath]

    init(_ version: MetricsVersion, _ info: OpenAPIInfo) {
        self.info = info
        paths = Dictionary(uniqueKeysWithValues: OpenAPIPath.all(of: version, .version3))
    }
}

struct OpenAPIInfo: Encodable {
    let title = "weir metrics-adapter"
    let version: String
}

/// What may be asked at a path.
struct OpenAPIPath: Encodable {
    enum Form {
        case version2
        case version3
    }

    /// `type` or `schema`, as the form has it.
    struct Parameter: Encodable {
        let name: String
        let `in`: String
        let required: Bool
        let type: String?
        let schema: Schema?

        init(_ name: String, in place: String, _ form: Form) {
            self.name = name
            self.in = place
            required = place == "path"
            type = form == .version2 ? "string" : nil
            schema = form == .version3 ? Schema(type: "string") : nil
        }
    }

    struct Schema: Encodable {
        let type: String
    }

    struct Response: Encodable {
        struct Content: Encodable {
            let schema: Schema
        }

        let description: String
        let schema: Schema?
        let content: [String: Content]?

        init(_ description: String, _ form: Form) {
            let object = Schema(type: "object")
            self.description = description
            schema = form == .version2 ? object : nil
            content = form == .version3 ? ["application/json": Content(schema: object)] : nil
        }
    }

    struct Operation: Encodable {
        let description: String
        let operationId: String
        let produces: [String]?
        let parameters: [Parameter]
        let responses: [String: Response]
    }

    let get: Operation

    private init(_ description: String, id: String, _ parameters: [Parameter], _ form: Form) {
        get = Operation(
            description: description,
            operationId: id,
            produces: form == .version2 ? ["application/json"] : nil,
            parameters: parameters,
            responses: ["200": Response("OK", form), "401": Response("Unauthorized", form)]
        )
    }

    /// The paths of a version: its metrics, and the values of one.
    static func all(of version: MetricsVersion, _ form: Form) -> [(String, OpenAPIPath)] {
        let root = "/apis/\(version.rawValue)/"
        let isExternal = version == .externalV1beta1
        // Unique beside those of other servers.
        let name = (isExternal ? "External" : "Custom") + "Metrics" + version.version.capitalizedFirst
        let places = isExternal ? ["namespace", "name"] : ["namespace", "resource", "name", "subresource"]
        let queries = isExternal ? ["labelSelector"] : ["labelSelector", "metricLabelSelector"]
        let rest = isExternal ? "{name}" : "{resource}/{name}/{subresource}"
        return [
            (root, OpenAPIPath("the metrics that there are", id: "get\(name)APIResources", [], form)),
            (
                root + "namespaces/{namespace}/" + rest,
                OpenAPIPath(
                    "the values of a metric",
                    id: "list\(name)",
                    places.map { Parameter($0, in: "path", form) } + queries.map { Parameter($0, in: "query", form) },
                    form
                )
            ),
        ]
    }
}

extension String {
    fileprivate var capitalizedFirst: String { prefix(1).uppercased() + dropFirst() }
}
