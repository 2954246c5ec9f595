// SPDX-License-Identifier: Apache-2.0
// Follows objects of a cluster: lists them, then watches what becomes of them, over one connection. Confined to its
// loop's thread.

package import WeirEventLoop

/// Asks an API server, and goes on asking whatever it answers.
///
/// What is known is never less for a failure: the table stays, and a watch goes on from where the last one ended. It is
/// listed again only where the server no longer knows that place (410), or has said what cannot be read.
package final class KubernetesWatch<Query: KubernetesQuery> {
    /// How long an answer's head, and a list, may take.
    package static var answerTimeout: Nanoseconds { 30_000_000_000 }
    /// For how long a watch is asked, drawn anew for each: those of many replicas are not to end together.
    package static var watchSeconds: ClosedRange<UInt64> { 240...480 }
    /// How long a watch may say nothing: servers send a bookmark each minute. One that is silent for longer may have lost
    /// its other end, and is asked again.
    package static var silenceMax: Nanoseconds { 150_000_000_000 }
    /// From one request's begin to the next, at least, where the last one was answered.
    package static var intervalMin: Nanoseconds { 1_000_000_000 }
    package static var firstRetry: Nanoseconds { 1_000_000_000 }
    package static var longestRetry: Nanoseconds { 30_000_000_000 }
    /// The largest page of a list, and event: an object of a cluster has at most 1.5 MiB.
    package static var listBytesMax: Int { 8 << 20 }
    package static var eventBytesMax: Int { 2 << 20 }
    /// How long a server may ask us to leave it alone (`Retry-After`).
    package static var retryAfterMax: Nanoseconds { 60_000_000_000 }
    /// From one list of endpoints to the next, at least: a rolling update is many events, and each list that they come to
    /// costs the upstream a build of its tables.
    package static var tellInterval: Nanoseconds { 100_000_000 }
    /// The most pages of a list.
    static var pagesMax: Int { 200 }

    /// What is told of it, on the loop's thread.
    package struct Listener {
        /// The objects as they are now, after each change, and when they can be watched again.
        package var found: (Query.Table) -> Void
        package var failed: (KubernetesProblem) -> Void

        package init(found: @escaping (Query.Table) -> Void, failed: @escaping (KubernetesProblem) -> Void) {
            self.found = found
            self.failed = failed
        }
    }

    /// Whom the next connection is to find, over TLS.
    package typealias Securing = () throws(KubernetesProblem) -> TLSTarget

    enum Phase: Equatable {
        case stopped
        /// Waits for an address or an answer of this round; those of earlier ones are too late.
        case asking(round: Int)
        /// Until then, or until there is another token than the one that was refused.
        case waiting(until: Nanoseconds, RefusedToken?)
    }

    /// A list of which pages are still to come.
    struct Listing {
        var table: Query.Table
        var continuation: String?
        var pageCount = 0
    }

    let api: KubernetesAPI
    let query: Query
    let loop: EventLoop
    private let lookup: AddressLookup
    private let secure: Securing?
    let listener: Listener
    let client: FetchClient
    var phase = Phase.stopped
    private var round = 0
    var askedAt: Nanoseconds = 0
    var version = Query.present
    /// The server did not know the other version, and has answered nothing since.
    var hasMissedVersion = false
    /// What was listed, with what has happened since.
    var table: Query.Table
    /// It is to be listed again: nothing is known yet, or the server cannot go on from what is.
    var isStale = true
    var listing: Listing
    var isFailing = false
    var backoff = Backoff(from: KubernetesWatch.firstRetry, to: KubernetesWatch.longestRetry)
    /// As it was shown last.
    private(set) var token: String?
    lazy var timer = LoopTimer { [unowned self] _ in wake() }
    var toldAt: Nanoseconds = 0
    var isTelling = false
    lazy var tellTimer = LoopTimer { [unowned self] _ in tell() }

    /// - Parameters:
    ///   - lookup: finds the server, where it is given by name.
    ///   - secure: not called where the server is asked in the clear; where it is not and this is nil, nobody is asked.
    package init(
        _ query: Query,
        from api: KubernetesAPI,
        on loop: EventLoop,
        lookup: @escaping AddressLookup,
        secure: Securing? = nil,
        listener: Listener
    ) {
        self.api = api
        self.query = query
        table = query.emptyTable
        listing = Listing(table: query.emptyTable)
        self.loop = loop
        self.lookup = lookup
        self.secure = secure
        self.listener = listener
        client = FetchClient(
            on: loop,
            field: "retry-after",
            bodyBytesMax: Self.listBytesMax,
            lineBytesMax: Self.eventBytesMax
        )
    }

    package func start() {
        guard phase == .stopped else { return }
        ask()
    }

    package func stop() {
        phase = .stopped
        loop.cancel(timer)
        loop.cancel(tellTimer)
        isTelling = false
        client.close()
    }

    // MARK: Asking

    func ask() {
        round += 1
        let round = round
        phase = .asking(round: round)
        askedAt = loop.now
        listing = Listing(table: query.emptyTable)
        switch api.url.place {
        case .address(let address): ask(address)
        case .name(let name, let port):
            lookup(name, port) { [weak self] addresses in
                guard let self, phase == .asking(round: round) else { return }
                guard !addresses.isEmpty else { return fail(.unresolved(server: api.description)) }
                ask(addresses[round % addresses.count])
            }
        }
    }

    func ask(_ address: SocketAddress) {
        do throws(KubernetesProblem) {
            client.tls = try target()
            token = api.isPrivate ? try ServiceAccountToken.read(in: api.account) : nil
        } catch {
            return fail(error)
        }
        if !isStale, let from = table.resourceVersion {
            watch(from: from, address)
        } else {
            list(address)
        }
    }

    /// Nothing is sent in the clear that was to be secured.
    private func target() throws(KubernetesProblem) -> TLSTarget? {
        guard api.isSecure else { return nil }
        guard let secure else {
            throw .notSecured(server: api.description, reason: "nothing says whom to trust")
        }
        return try secure()
    }

    private func list(_ address: SocketAddress) {
        let request = query.list(version, continuation: listing.continuation, token: token)
        let round = round
        client.get(request, from: address, timeout: Self.answerTimeout) { [weak self] answer in
            guard let self, phase == .asking(round: round) else { return }
            takeList(answer, from: address)
        }
    }

    private func watch(from resourceVersion: String, _ address: SocketAddress) {
        let seconds = UInt64.random(in: Self.watchSeconds)
        let request = query.watch(version, from: resourceVersion, seconds: seconds, token: token)
        let round = round
        var hasOpened = false
        let stream = FetchClient.Stream(
            silence: Self.silenceMax,
            opened: { [weak self] in
                hasOpened = true
                self?.opened()
            },
            line: { [weak self] line in
                guard let self, phase == .asking(round: round) else { return }
                takeEvent(line)
            }
        )
        client.get(request, from: address, timeout: Self.answerTimeout, stream: stream) { [weak self] answer in
            guard let self, phase == .asking(round: round) else { return }
            ended(answer, hasOpened: hasOpened)
        }
    }
}

extension KubernetesWatch where Query == EndpointSliceQuery {
    /// Follows the slices of a service.
    package convenience init(
        _ service: KubernetesService,
        from api: KubernetesAPI,
        on loop: EventLoop,
        lookup: @escaping AddressLookup,
        secure: Securing? = nil,
        listener: Listener
    ) {
        self.init(
            EndpointSliceQuery(service, from: api.url),
            from: api,
            on: loop,
            lookup: lookup,
            secure: secure,
            listener: listener
        )
    }
}
