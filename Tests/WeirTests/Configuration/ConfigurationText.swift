// SPDX-License-Identifier: Apache-2.0
// Configurations from YAML in a test.

import Weir
import WeirYAML

extension GatewayConfiguration {
    /// What this text says as the file weir.yaml, under these variables.
    init(_ yaml: String, _ environment: [String: String] = [:]) throws {
        try self.init(environment: environment, document: ConfigurationDocument(yaml))
    }

    /// The one route to the upstream `a` with these further fields.
    static func route(_ fields: String) throws -> RouteConfiguration {
        try GatewayConfiguration("upstreams: {a: {endpoints: [http://a]}}\nroutes: [{upstream: a, \(fields)}]").routes[
            0
        ]
    }

    /// The one upstream with these fields.
    static func upstream(_ fields: String) throws -> UpstreamConfiguration {
        try GatewayConfiguration("upstreams: {default: {\(fields)}}").upstreams[0]
    }
}

extension ConfigurationDocument {
    init(_ yaml: String) throws {
        self.init(file: "weir.yaml", root: try YAMLReader.read(Array(yaml.utf8)))
    }
}
