// SPDX-License-Identifier: Apache-2.0
// How an upstream's endpoints are: the checks that its configuration declares. On the control loop.

import Logging
package import WeirEventLoop
package import WeirUpstream

/// Runs a check for each endpoint, while there is one, and has the endpoint know what came of it.
///
/// `@unchecked Sendable`: confined to the loop's thread, on which the runner reports.
final class EndpointChecks: @unchecked Sendable {
    private struct Running {
        let endpoint: Endpoint
        let id: CheckRunner.CheckID
    }

    private let upstream: Upstream
    private let tools: ControlTools
    private var running: [ObjectIdentifier: Running] = [:]

    /// Nil for no checks.
    private var configuration: HealthCheckConfiguration?
    /// The header that the endpoints' connections begin with.
    private var proxyProtocol: ProxyProtocol.Version?
    private var tls: TLSClient?

    init(of upstream: Upstream, _ tools: ControlTools) {
        self.upstream = upstream
        self.tools = tools
    }

    /// Another check begins anew, and its first result decides; until then the former one's stands.
    func become(_ configuration: HealthCheckConfiguration?, _ policy: UpstreamPolicy) {
        guard configuration != self.configuration || policy.proxyProtocol != proxyProtocol || policy.tls != tls else {
            return
        }
        self.configuration = configuration
        proxyProtocol = policy.proxyProtocol
        tls = policy.tls
        endAll(forgetting: configuration == nil)
        follow(upstream.endpoints)
    }

    func follow(_ endpoints: [Endpoint]) {
        guard let configuration else { return }
        var former = running
        running = [:]
        for endpoint in endpoints {
            let id = ObjectIdentifier(endpoint)
            running[id] = former.removeValue(forKey: id) ?? begin(configuration, endpoint)
        }
        for gone in former.values { tools.runner.remove(gone.id) }
    }

    func stop() {
        endAll(forgetting: false)
    }

    private func endAll(forgetting forgets: Bool) {
        for each in running.values {
            tools.runner.remove(each.id)
            if forgets { each.endpoint.condition.note(.unknown, output: "") }
        }
        running = [:]
    }

    private func begin(_ configuration: HealthCheckConfiguration, _ endpoint: Endpoint) -> Running? {
        guard var definition = configuration.definition(for: endpoint, proxyProtocol) else { return nil }
        if endpoint.url.scheme == .https {
            // Not without: it would say nothing of what requests meet.
            guard let tls else { return nil }
            // Without sessions to resume by, so that each run looks at the certificate.
            definition.tls = TLSTarget(tls, to: endpoint.host)
        }
        let id = tools.runner.add(definition) {
            endpoint.knownAddresses
        } ran: { [report = upstream.report] result in
            report.note(result)
        } report: { [weak self] update in
            self?.take(update, of: endpoint)
        }
        return Running(endpoint: endpoint, id: id)
    }

    private func take(_ update: CheckUpdate, of endpoint: Endpoint) {
        let former = endpoint.condition.checkedHealth
        let present = EndpointHealth(update.status)
        endpoint.condition.note(present, output: update.output)
        guard present != former else { return }
        upstream.reweigh(at: tools.loop.now, log: tools.logger)
        // That what was taken for well is well is no news.
        let isExpected = former == .unknown && present == .passing
        tools.logger.log(
            level: isExpected ? .debug : present == .passing ? .notice : .warning,
            "endpoint \(endpoint.name) of upstream \(upstream.name) is \(present.word), was \(former.word)",
            metadata: ["output": .string(String(update.output.prefix(Self.loggedOutputMax)))]
        )
    }

    /// The whole output is on the page of the upstreams.
    private static let loggedOutputMax = 200
}

extension HealthCheckConfiguration {
    /// The check of one endpoint; nil where its path cannot be asked for, which reading the file has refused.
    package func definition(
        for endpoint: Endpoint,
        _ proxyProtocol: ProxyProtocol.Version? = nil
    ) -> CheckDefinition? {
        let kind: CheckDefinition.Kind
        switch self.kind {
        case .tcp: kind = .tcp(endpoint.url.place)
        case .http(let path):
            guard let url = try? CheckURL(path: path, at: endpoint.url) else { return nil }
            let authority = host ?? String(decoding: endpoint.authorityBytes, as: UTF8.self)
            kind = .http(HTTPCheck(url, fields: [CheckField("Host", authority)]))
        }
        return CheckDefinition(
            kind,
            interval: interval,
            timeout: timeout,
            thresholds: CheckCounter.Thresholds(
                successBeforePassing: successBeforePassing,
                // As in Consul, 0 says nothing.
                failuresBeforeWarning: failuresBeforeWarning == 0 ? nil : failuresBeforeWarning,
                failuresBeforeCritical: failuresBeforeCritical
            ),
            proxyProtocol: proxyProtocol
        )
    }
}
