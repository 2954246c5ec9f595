// SPDX-License-Identifier: Apache-2.0
// Keeps up with what the cluster says of the aggregation layer, and has the cluster know the adapter's certificate. A
// task on the adapter's loop.

import Glibc
import Logging
import WeirEventLoop
import WeirTLS
import WeirUpstream

/// Reads who may ask; agrees with the other replicas on a certificate; keeps `caBundle` current.
///
/// `@unchecked Sendable`: everything happens on the loop's thread.
final class ClusterKeeper: @unchecked Sendable {
    private static let firstRetry: Nanoseconds = 500_000_000
    private static let longestRetry: Nanoseconds = 30_000_000_000
    /// How often a write may meet another replica's before it is left to the next time.
    private static let conflictsMax = 5

    /// Before its end a certificate gives way, whoever could not be told.
    private static let lastSeconds: Int64 = 86_400

    private let loop: EventLoop
    private let client: ClusterClient
    private let settings: AdapterSettings
    /// Of the Service and the Secret.
    private let namespace: String
    private let files: AdapterFiles
    private let reloadTLS: AdapterLoop.Reload
    private let state: AdapterState
    private let report: ClusterReport
    private let logger: Logger
    private var serving: ServingPair?
    private var isRunning = false
    private var sleeping: UnsafeContinuation<Void, Never>?
    private lazy var timer = LoopTimer { [unowned self] _ in wake() }

    init(
        on loop: EventLoop,
        _ client: ClusterClient,
        _ settings: AdapterSettings,
        namespace: String,
        _ files: AdapterFiles,
        reloadTLS: @escaping AdapterLoop.Reload,
        _ state: AdapterState,
        _ report: ClusterReport,
        _ logger: Logger
    ) {
        self.loop = loop
        self.client = client
        self.settings = settings
        self.namespace = namespace
        self.files = files
        self.reloadTLS = reloadTLS
        self.state = state
        self.report = report
        self.logger = logger
    }

    func start() {
        isRunning = true
        Task(executorPreference: loop) { [self] in await run() }
    }

    func stop() {
        isRunning = false
        client.close()
        loop.cancel(timer)
        wake()
    }

    private func run() async {
        var backoff = Backoff(from: Self.firstRetry, to: Self.longestRetry)
        var random = SystemRandomNumberGenerator()
        while isRunning {
            let refresh = settings.refresh.nanosecondsClamped
            if await step() {
                backoff.reset()
                await sleep(refresh)
            } else if await tokenIsReplaced(within: min(refresh, backoff.next(using: &random))) {
                backoff.reset()
            }
        }
    }

    /// One look at everything; false where something is to be tried again soon.
    private func step() async -> Bool {
        let knowsProxy = await attempt(.frontProxy) { () async throws(KubernetesProblem) in
            try await self.readFrontProxy()
        }
        guard settings.makesCertificate else {
            state.noteCertificate()
            return knowsProxy
        }
        var agreed: ServingPair?
        let agrees = await attempt(.certificate) { () async throws(KubernetesProblem) in
            agreed = try await self.agree()
        }
        guard agrees, let agreed else { return false }
        let isTold = await tell(agreed)
        // What nobody would believe is not shown in place of what is believed, unless that is about to end.
        let end = (serving?.expiry ?? 0) - Int64(time(nil))
        if isTold || end < Self.lastSeconds { show(agreed) }
        return knowsProxy && isTold
    }

    private func attempt(
        _ subject: ClusterSubject,
        _ work: () async throws(KubernetesProblem) -> Void
    ) async -> Bool {
        do throws(KubernetesProblem) {
            try await work()
            if isRunning { report.worked(subject) }
            return true
        } catch {
            if isRunning { report.failed(subject, error.description) }
            return false
        }
    }

    // MARK: Who may ask

    private func readFrontProxy() async throws(KubernetesProblem) {
        let answer = try await client.get(FrontProxy.configMapPath)
        guard answer.status == 200 else { throw client.refusal(answer) }
        let place = "kube-system/extension-apiserver-authentication"
        do {
            let proxy = try FrontProxy(configMap: answer.body)
            _ = try ClientAuthorities(PEMFile(name: place, bytes: proxy.authorities), isRequired: false)
            guard state.frontProxy != proxy else { return }
            try files.clientAuthorities.replace(by: proxy.authorities)
            if let fault = reloadTLS().first { throw AdapterFault(fault) }
            state.admit(proxy)
            let names = proxy.allowedNames.isEmpty ? "any" : proxy.allowedNames.joined(separator: ",")
            logger.info("the aggregation layer may ask", metadata: ["names": .string(names.escapedForLog)])
        } catch {
            throw .notSecured(server: place, reason: "\(error)".escapedForLog)
        }
    }

    // MARK: The certificate

    private var host: String { "\(settings.service).\(namespace).svc" }

    private var secretPath: String { "/api/v1/namespaces/\(namespace)/secrets" }

    /// The certificate of all replicas: what is in the Secret, or what this one puts there.
    private func agree() async throws(KubernetesProblem) -> ServingPair {
        let path = "\(secretPath)/\(settings.secretName)"
        var answer: FetchClient.Answer
        for _ in 0..<Self.conflictsMax {
            answer = try await client.get(path)
            let now = Int64(time(nil))
            var present: ServingSecret?
            switch answer.status {
            case 200:
                present = ServingSecret(parsing: answer.body, host: host, now: now)
                guard present != nil else { throw client.refusal(answer) }
            case 404: break
            default: throw client.refusal(answer)
            }
            if let pair = present?.pair, !pair.needsRenewal(now: now) { return pair }
            let pair = try make(after: present?.pair ?? serving, now: now)
            if let present {
                let type = "application/merge-patch+json"
                answer = try await client.send("PATCH", path, present.change(to: pair), type: type)
            } else {
                let body = ServingSecret.creation(settings.secretName, in: namespace, pair)
                answer = try await client.send("POST", secretPath, body)
            }
            switch answer.status {
            case 200, 201:
                logger.notice(
                    "a certificate was made",
                    metadata: ["secret": .string("\(namespace)/\(settings.secretName)"), "host": .string(host)]
                )
                return pair
            // Another replica was faster: what it has put there is to be read.
            case 409: continue
            default: throw client.refusal(answer)
            }
        }
        throw .refused(
            server: path,
            APIStatus(code: 409, message: "others change the Secret again and again")
        )
    }

    private func make(after former: ServingPair?, now: Int64) throws(KubernetesProblem) -> ServingPair {
        do throws(TLSError) {
            return try ServingPair(making: host, former: former, now: now)
        } catch {
            throw .notSecured(server: host, reason: error.description)
        }
    }

    /// Has each APIService of ours believe the certificate's CA; false where one could not be asked.
    private func tell(_ pair: ServingPair) async -> Bool {
        var isTold = true
        for version in MetricsVersion.served(external: settings.servesExternal) {
            let name = version.serviceName
            do throws(KubernetesProblem) {
                let complaint = try await tell(pair, name)
                guard isRunning else { return false }
                if let complaint { report.failed(.bundle, name, complaint) } else { report.worked(.bundle, name) }
            } catch {
                if isRunning { report.failed(.bundle, name, error.description) }
                isTold = false
            }
        }
        return isTold
    }

    /// - Returns: why there is nothing to be told: that is somebody's to change, and keeps nobody from going on.
    private func tell(_ pair: ServingPair, _ name: String) async throws(KubernetesProblem) -> String? {
        let path = "/apis/apiregistration.k8s.io/v1/apiservices/\(name)"
        var answer = try await client.get(path)
        if answer.status == 404 { return "there is no such APIService" }
        guard answer.status == 200 else { throw client.refusal(answer) }
        guard let present = APIServiceBundle(parsing: answer.body) else {
            throw .malformed(server: path, subject: "APIServices")
        }
        let own = "\(namespace)/\(settings.service)"
        guard present.service == own else {
            let other = present.service.map { "the Service \($0)" } ?? "no Service"
            return "it leads to \(other.escapedForLog), not to \(own) (WEIR_ADAPTER_SERVICE)"
        }
        guard let change = present.change(to: pair.authorities) else { return nil }
        answer = try await client.send("PATCH", path, change, type: "application/merge-patch+json")
        guard answer.status == 200 else { throw client.refusal(answer) }
        logger.info("caBundle was changed", metadata: ["apiservice": .string(name)])
        return nil
    }

    private func show(_ pair: ServingPair) {
        guard pair != serving else { return }
        do {
            try files.key.replace(by: pair.key)
            try files.certificate.replace(by: pair.certificate)
            if let fault = reloadTLS().first { throw AdapterFault(fault) }
            serving = pair
            state.noteCertificate()
        } catch {
            report.failed(.certificate, "\(error)")
        }
    }

    // MARK: Waiting

    /// Waits for so long; or, where a token was refused, until there is another.
    ///
    /// - Returns: whether there is.
    private func tokenIsReplaced(within time: Nanoseconds) async -> Bool {
        let end = loop.now &+ time
        while isRunning, loop.now < end {
            let refused = client.refused
            if refused?.isReplaced == true { return true }
            let left = end - loop.now
            await sleep(refused == nil ? left : min(left, RefusedToken.lookInterval))
        }
        return false
    }

    private func sleep(_ time: Nanoseconds) async {
        guard isRunning else { return }
        await withUnsafeContinuation { continuation in
            sleeping = continuation
            loop.schedule(timer, at: loop.now &+ time)
        }
    }

    private func wake() {
        guard let continuation = sleeping else { return }
        sleeping = nil
        continuation.resume()
    }
}

/// What a listener has against its files.
private struct AdapterFault: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
