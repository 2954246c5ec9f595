// SPDX-License-Identifier: Apache-2.0
// One endpoint of an upstream. Shared by all loops: what changes is atomics, and the addresses of a name.

package import Synchronization
package import WeirEventLoop

/// Somewhere that requests can be sent to. Its connections belong to loops, its counts to the pod.
///
/// What each request writes (`load`, `outcomes`, `responseTimes`) lies on cache lines of its own, so that it takes nothing
/// from loops that only read the rest: the address, the breaker, the flags.
/// `@unchecked Sendable`: the authority's bytes are written before anybody else has the endpoint; the rest is atomics and
/// a mutex.
package final class Endpoint: @unchecked Sendable {
    package let url: EndpointURL
    /// Its place in what loops keep for each endpoint of its upstream. It is another's once this one is gone.
    package let slot: Int
    /// Its number among all that its upstream has had.
    let serial: UInt64
    private let authority: UnsafeMutableRawBufferPointer
    /// Where it is now: one address, or those that its name has.
    private let addresses: Mutex<[SocketAddress]>
    /// How many they are, and how often they were others, for those who must not wait. Relaxed: they publish nothing, the
    /// addresses are read under their mutex.
    private let addressesKnown: Atomic<Int>
    private let addressesVersion = Atomic<UInt64>(0)
    // All relaxed: they publish nothing, each is exact on its own.
    private let openConnections = Atomic<Int>(0)
    private let nextAddress = Atomic<Int>(0)
    private let opened = Atomic<UInt64>(0)
    private let failures = InlineArray<8, Atomic<UInt64>> { _ in Atomic(0) }
    private let answered = Atomic<Bool>(false)
    package let responseTimes = RouteResponseTimes()
    /// What balancing goes by.
    package let load = EndpointLoad()
    /// What ejection goes by.
    package let outcomes = EndpointOutcomes()
    package let circuit = CircuitBreaker()
    package let pressure = BackPressure()
    /// What its checks and its source say of it.
    package let condition = EndpointCondition()
    /// Nil where it is spoken to without TLS.
    package let handshakes: EndpointHandshakes?
    /// Its name in metrics, in the log and on pages: where it is, without its weight.
    package let name: String
    // What has come of them; written where the endpoints are weighed, read for metrics.
    private let ejected = Atomic<Bool>(false)
    private let breakerOpen = Atomic<Bool>(false)
    private let out = Atomic<Bool>(false)
    private let recovered = Atomic<UInt64>(0)
    /// Its number in the access log; -2 until it was asked for. Relaxed: whoever asks twice gets the same.
    package let logIndex = Atomic<Int>(-2)

    /// - Parameter authority: what the Host field says where the client named no host; nil for what the URL says.
    package init(_ url: EndpointURL, slot: Int = 0, serial: UInt64 = 0, authority: String? = nil) {
        self.url = url
        self.slot = slot
        self.serial = serial
        name = url.withoutWeight.description
        handshakes = url.scheme == .https ? EndpointHandshakes() : nil
        let text = Array((authority ?? url.authority).utf8)
        self.authority = .allocate(byteCount: text.count, alignment: 1)
        self.authority.copyBytes(from: text)
        if case .address(let address) = url.place {
            addresses = Mutex([address])
            addressesKnown = Atomic(1)
        } else {
            addresses = Mutex([])
            addressesKnown = Atomic(0)
        }
    }

    deinit {
        authority.deallocate()
    }

    /// What the Host field says where the client named no host; as long as the endpoint lives.
    package var authorityBytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(authority) }

    package var health: EndpointHealth { condition.health }

    // MARK: Where it is

    /// The addresses that are known now; empty for a name that was not found yet.
    package var knownAddresses: [SocketAddress] { addresses.withLock { $0 } }

    /// How many there are.
    package var addressCount: Int { addressesKnown.load(ordering: .relaxed) }

    /// Replaces what a name stands for. An empty answer changes nothing: a failing resolver must not take away what
    /// works. Connections are kept as before, see `Upstream.resolved`.
    ///
    /// - Returns: whether some address is gone.
    @discardableResult
    package func resolved(to found: [SocketAddress]) -> Bool {
        guard !found.isEmpty else { return false }
        let former = knownAddresses
        addresses.withLock { $0 = found }
        addressesKnown.store(found.count, ordering: .relaxed)
        guard former.contains(where: { !found.contains($0) }) else { return false }
        addressesVersion.wrappingAdd(1, ordering: .relaxed)
        return true
    }

    /// Changes when an address is gone.
    var addressVersion: UInt64 { addressesVersion.load(ordering: .relaxed) }

    func has(_ address: SocketAddress) -> Bool { addresses.withLock { $0.contains(address) } }

    /// The address of the next connection; the addresses of a name take turns.
    func addressInTurn() -> SocketAddress? {
        let turn = nextAddress.wrappingAdd(1, ordering: .relaxed).oldValue
        return addresses.withLock { $0.isEmpty ? nil : $0[Int(UInt(bitPattern: turn) % UInt($0.count))] }
    }

    // MARK: Connections of all loops

    /// Takes a place for one more connection; false where there are `max`.
    package func reserveConnection(max: Int) -> Bool {
        var count = openConnections.load(ordering: .relaxed)
        while count < max {
            let (exchanged, present) = openConnections.weakCompareExchange(
                expected: count,
                desired: count + 1,
                ordering: .relaxed
            )
            if exchanged { return true }
            count = present
        }
        return false
    }

    package func returnConnection() {
        openConnections.wrappingSubtract(1, ordering: .relaxed)
    }

    package func noteOpened() {
        opened.wrappingAdd(1, ordering: .relaxed)
        answered.store(true, ordering: .relaxed)
    }

    // MARK: How it is

    /// Whether it does worse than the others, and is left alone for a time.
    package internal(set) var isEjected: Bool {
        get { ejected.load(ordering: .relaxed) }
        set { ejected.store(newValue, ordering: .relaxed) }
    }

    /// Whether its connections fail, and it is left alone for a time.
    package internal(set) var isBreakerOpen: Bool {
        get { breakerOpen.load(ordering: .relaxed) }
        set { breakerOpen.store(newValue, ordering: .relaxed) }
    }

    /// Whether it got nothing when its upstream was weighed last.
    var wasOut: Bool {
        get { out.load(ordering: .relaxed) }
        set { out.store(newValue, ordering: .relaxed) }
    }

    /// When it came back; nil for one that was never out.
    var recoveredAt: Nanoseconds? {
        get {
            let instant = recovered.load(ordering: .relaxed)
            return instant > 0 ? instant : nil
        }
        set { recovered.store(newValue ?? 0, ordering: .relaxed) }
    }

    // MARK: What happens

    package func noteRequest() {
        load.begin()
    }

    package func noteRequestEnded() {
        load.end()
    }

    package func note(_ fault: UpstreamFault) {
        failures[fault.index].wrappingAdd(1, ordering: .relaxed)
    }

    /// Whether it has ever taken a connection.
    package var hasAnswered: Bool { answered.load(ordering: .relaxed) }
    package var connectionCount: Int { openConnections.load(ordering: .relaxed) }
    package var requestsExecuting: Int { load.requestsInFlight }
    package var openedCount: UInt64 { opened.load(ordering: .relaxed) }
    package var requestCount: UInt64 { load.requestCount }

    /// How often it failed, by label.
    package var failureCounts: [(label: StaticString, count: UInt64)] {
        UpstreamFault.labels.enumerated().map { ($1, failures[$0].load(ordering: .relaxed)) }
    }
}
