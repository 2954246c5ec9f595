// SPDX-License-Identifier: Apache-2.0
// What is answered to whom: a request and what is known of the pods to a status and JSON. Pure; time is a parameter.

import FoundationEssentials
package import Weir
package import WeirEventLoop

/// An answer of the API.
package struct MetricsAnswer: Sendable, Equatable {
    package let status: Int
    package let body: [UInt8]

    init(_ value: some Encodable, status: Int = 200) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Of texts and whole numbers alone: it does not fail.
        body = (try? encoder.encode(value)).map { [UInt8]($0) } ?? []
        self.status = status
    }

    /// A refusal, as Kubernetes has it.
    package static func refusal(_ status: Int, _ message: String) -> MetricsAnswer {
        let reasons = [
            400: "BadRequest", 401: "Unauthorized", 404: "NotFound", 405: "MethodNotAllowed",
            503: "ServiceUnavailable",
        ]
        let reason = reasons[status] ?? "InternalError"
        return MetricsAnswer(StatusDocument(message: message, reason: reason, code: status), status: status)
    }
}

/// The metrics APIs over a table.
package struct MetricsAPI: Sendable {
    /// Whether `external.metrics.k8s.io` is served.
    package let servesExternal: Bool
    package let version: String

    package init(servesExternal: Bool, version: String) {
        self.servesExternal = servesExternal
        self.version = version
    }

    private var versions: [MetricsVersion] { MetricsVersion.served(external: servesExternal) }

    package func answer(path: String, query: Query, _ table: SignalTable, now: Nanoseconds) -> MetricsAnswer {
        do throws(MetricsRequest.Fault) {
            return try answer(MetricsRequest(path: path, query: query), table, now: now)
        } catch {
            switch error {
            case .unknown: return .refusal(404, "the server could not find the requested resource")
            case .malformed(let text): return .refusal(400, text)
            }
        }
    }

    private func answer(
        _ request: MetricsRequest,
        _ table: SignalTable,
        now: Nanoseconds
    ) throws(MetricsRequest.Fault) -> MetricsAnswer {
        switch request {
        case .groups: return MetricsAnswer(GroupListDocument(groups: groups.map { GroupDocument($0) }))
        case .group(let name):
            guard let group = groups.first(where: { $0[0].group == name }) else { throw .unknown }
            return MetricsAnswer(GroupDocument(group))
        case .resources(let version):
            guard versions.contains(version) else { throw .unknown }
            return MetricsAnswer(ResourceListDocument(version))
        case .openAPI2: return MetricsAnswer(OpenAPI2Document(versions, OpenAPIInfo(version: version)))
        case .openAPI3(nil): return MetricsAnswer(OpenAPI3Index(versions))
        case .openAPI3(let asked?):
            guard versions.contains(asked) else { throw .unknown }
            return MetricsAnswer(OpenAPI3Document(asked, OpenAPIInfo(version: version)))
        case .pods(let version, let namespace, let name, let metric, let selector):
            return try pods(version, namespace, name, metric, selector, table, now: now)
        case .service(let version, let namespace, let name, let metric):
            return try service(version, namespace, name, metric, table, now: now)
        case .external(let namespace, let metric, let selector):
            guard servesExternal else { throw .unknown }
            return try external(namespace, metric, selector, table, now: now)
        }
    }

    private var groups: [[MetricsVersion]] {
        let groups = [MetricsVersion.customGroup, MetricsVersion.externalGroup]
        return groups.map { name in versions.filter { $0.group == name } }.filter { !$0.isEmpty }
    }

    // MARK: Values

    private func pods(
        _ version: MetricsVersion,
        _ namespace: String,
        _ name: String?,
        _ metric: MetricsRequest.MetricName,
        _ selector: LabelSelector,
        _ table: SignalTable,
        now: Nanoseconds
    ) throws(MetricsRequest.Fault) -> MetricsAnswer {
        guard let known = try signal(metric) else { return unknown(metric) }
        do throws(SignalTable.Absence) {
            let found = try table.values(of: known.signal, in: namespace, name: name, selector, now: now)
            return list(
                version,
                found.compactMap { one in
                    guard let quantity = Quantity(one.value.value) else { return nil }
                    let pod = ObjectReference(kind: "Pod", namespace: namespace, name: one.name)
                    return Value(of: pod, known, quantity, second: one.value.second, window: one.value.windowSeconds)
                }
            )
        } catch {
            return absent(error, "pods of namespace \(namespace)\(name.map { " called \($0)" } ?? "")")
        }
    }

    private func service(
        _ version: MetricsVersion,
        _ namespace: String,
        _ name: String,
        _ metric: MetricsRequest.MetricName,
        _ table: SignalTable,
        now: Nanoseconds
    ) throws(MetricsRequest.Fault) -> MetricsAnswer {
        guard let known = try signal(metric) else { return unknown(metric) }
        do throws(SignalTable.Absence) {
            let found = try table.value(of: known.signal, ofService: name, in: namespace, now: now)
            guard let quantity = Quantity(found.value) else { throw .nobody }
            let service = ObjectReference(kind: "Service", namespace: namespace, name: name)
            return list(
                version,
                [Value(of: service, known, quantity, second: found.second, window: found.windowSeconds)]
            )
        } catch {
            return absent(error, "ready pods of the service \(namespace)/\(name)")
        }
    }

    private func external(
        _ namespace: String,
        _ metric: MetricsRequest.MetricName,
        _ selector: LabelSelector,
        _ table: SignalTable,
        now: Nanoseconds
    ) throws(MetricsRequest.Fault) -> MetricsAnswer {
        guard let known = try signal(metric) else { return unknown(metric) }
        do throws(SignalTable.Absence) {
            let found = try table.combined(known.signal, in: namespace, selector, now: now)
            guard let quantity = Quantity(found.value) else { throw .nobody }
            let value = ExternalValue(
                metricName: metric.name,
                timestamp: Timestamp.text(found.second),
                window: found.windowSeconds,
                value: quantity.description
            )
            return MetricsAnswer(
                ValueListDocument(
                    kind: "ExternalMetricValueList",
                    apiVersion: MetricsVersion.externalV1beta1.rawValue,
                    items: [value]
                )
            )
        } catch {
            return absent(error, "ready pods of namespace \(namespace) that the selector means")
        }
    }

    /// A metric that is known, and what its labels were to be.
    private struct Known {
        let signal: PodSignal
        let selector: LabelSelector
    }

    /// Nil where there is no such metric, or none with such labels: ours have none.
    private func signal(_ metric: MetricsRequest.MetricName) throws(MetricsRequest.Fault) -> Known? {
        guard let selector = LabelSelector(parsing: metric.selector) else {
            throw .malformed("metricLabelSelector \"\(metric.selector.prefix(200))\" is no label selector")
        }
        guard let signal = PodSignal(rawValue: metric.name), selector.selects([:]) else { return nil }
        return Known(signal: signal, selector: selector)
    }

    private func unknown(_ metric: MetricsRequest.MetricName) -> MetricsAnswer {
        guard PodSignal(rawValue: metric.name) != nil else {
            let names = PodSignal.allCases.map(\.rawValue).joined(separator: ", ")
            return .refusal(404, "there is no metric \(metric.name.prefix(100)); there are \(names)")
        }
        return .refusal(404, "\(metric.name) has no labels, and none that \(metric.selector.prefix(200)) selects")
    }

    /// An error for whoever scales, never an empty list: nothing is known, and nothing is to be done.
    private func absent(_ absence: SignalTable.Absence, _ what: String) -> MetricsAnswer {
        switch absence {
        case .nobody: .refusal(404, "there are no \(what) that the adapter watches")
        case .allMissing(let count): .refusal(503, "none of the \(count) \(what) has answered of late")
        }
    }

    /// A value of either version.
    private struct Value {
        let object: ObjectReference
        let known: Known
        let quantity: Quantity
        let second: Int64
        let window: Int64?

        init(of object: ObjectReference, _ known: Known, _ quantity: Quantity, second: Int64, window: Int64?) {
            self.object = object
            self.known = known
            self.quantity = quantity
            self.second = second
            self.window = window
        }
    }

    private func list(_ version: MetricsVersion, _ values: [Value]) -> MetricsAnswer {
        func list(_ items: [some Encodable]) -> MetricsAnswer {
            MetricsAnswer(ValueListDocument(kind: "MetricValueList", apiVersion: version.rawValue, items: items))
        }
        if version == .customV1beta2 {
            return list(
                values.map { value in
                    ValueV1beta2(
                        describedObject: value.object,
                        metric: .init(
                            name: value.known.signal.rawValue,
                            selector: SelectorDocument(value.known.selector)
                        ),
                        timestamp: Timestamp.text(value.second),
                        windowSeconds: value.window,
                        value: value.quantity.description
                    )
                }
            )
        }
        return list(
            values.map { value in
                ValueV1beta1(
                    describedObject: value.object,
                    metricName: value.known.signal.rawValue,
                    timestamp: Timestamp.text(value.second),
                    window: value.window,
                    value: value.quantity.description,
                    selector: SelectorDocument(value.known.selector)
                )
            }
        )
    }
}
