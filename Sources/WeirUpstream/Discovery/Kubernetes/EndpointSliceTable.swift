// SPDX-License-Identifier: Apache-2.0
// The slices of one service as they are now, from a list and the events behind it. A value.

/// Slices by name, and how far the cluster's history is in them.
package struct EndpointSliceTable: KubernetesTable, Equatable {
    /// The most slices and endpoints of a service. More are not counted out half: whoever reads them gives up.
    package static let slicesMax = 1000
    package static let endpointsMax = 10_000

    package typealias Outcome = KubernetesOutcome

    package private(set) var slices: [String: EndpointSlice] = [:]
    /// From which a watch goes on; nil where there was no list yet.
    package private(set) var resourceVersion: String?
    private var endpointCount = 0

    package init() {}

    /// Takes over a page of a list; false where it has more than may be.
    package mutating func add(_ page: EndpointSliceList) -> Bool {
        resourceVersion = page.resourceVersion
        return page.objects.allSatisfy { set($0) }
    }

    package mutating func apply(_ event: EndpointSliceEvent) -> Outcome {
        switch event {
        case .changed(let slice, let version):
            resourceVersion = version
            guard slices[slice.name] != slice else { return .unchanged }
            return set(slice) ? .changed : .tooMany
        case .gone(let name, let version):
            resourceVersion = version
            guard let gone = slices.removeValue(forKey: name) else { return .unchanged }
            endpointCount -= gone.endpoints.count
            return .changed
        case .bookmark(let version):
            resourceVersion = version
            return .unchanged
        case .failed(let status): return Outcome(status)
        case .unknown: return .unchanged
        }
    }

    private mutating func set(_ slice: EndpointSlice) -> Bool {
        let former = slices.updateValue(slice, forKey: slice.name)
        endpointCount += slice.endpoints.count - (former?.endpoints.count ?? 0)
        return slices.count <= Self.slicesMax && endpointCount <= Self.endpointsMax
    }
}
