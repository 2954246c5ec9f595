// SPDX-License-Identifier: Apache-2.0
// YAML text becomes a document tree, within bounds. JSON is a part of YAML. Pure; on the caller's thread.

package import WeirDocument

/// Reads one YAML document.
///
/// Aliases are expanded and count as what they repeat, so that a small text cannot become a large tree ("billion
/// laughs"). Tags, merge keys, keys that are no text, repeated keys and second documents are refused.
package struct YAMLReader: ~Copyable {
    /// The largest text in bytes.
    package static let bytesMax = 4 << 20
    /// The deepest nesting.
    package static let depthMax = 64
    /// The most scalars, lists and mappings.
    package static let nodesMax = 1_000_000

    /// A node that aliases may repeat.
    private struct Anchored {
        let node: DocumentNode
        let nodeCount: Int
        /// How many levels are below it.
        let height: Int
    }

    private var parser: EventParser
    private var anchors: [String: Anchored] = [:]
    private var nodeCount = 0

    /// The tree of the text; nil where it has no document, only comments perhaps.
    package static func read(_ text: [UInt8]) throws(YAMLFault) -> DocumentNode? {
        guard text.count <= bytesMax else { throw YAMLFault(.tooLarge, at: TextPosition(line: 1, column: 1)) }
        var reader = YAMLReader(parser: try EventParser(text))
        return try reader.document()
    }

    private init(parser: consuming EventParser) {
        self.parser = parser
    }

    private mutating func document() throws(YAMLFault) -> DocumentNode? {
        guard case .documentStart = try parser.next().kind else { return nil }
        let (root, _) = try node(try parser.next(), depth: 0)
        // libyaml sees to it that a document's end follows its node.
        _ = try parser.next()
        let last = try parser.next()
        guard case .streamEnd = last.kind else { throw YAMLFault(.secondDocument, at: last.position) }
        return root
    }

    /// The node that begins with this event, and how many levels are below it.
    private mutating func node(_ event: ParserEvent, depth: Int) throws(YAMLFault) -> (DocumentNode, height: Int) {
        if let tag = event.tag { throw YAMLFault(.tag(tag), at: event.position) }
        if case .alias(let name) = event.kind { return try repeated(name, event.position, depth: depth) }
        guard depth < Self.depthMax else { throw YAMLFault(.tooDeep, at: event.position) }
        let nodeCountBefore = nodeCount
        try count(1, event.position)
        let content: DocumentNode.Content
        var height = 0
        switch event.kind {
        case .sequenceStart: (content, height) = try sequence(depth: depth)
        case .mappingStart: (content, height) = try mapping(depth: depth)
        case .scalar(let text, let isPlain): content = .scalar(text, isPlain: isPlain)
        default: preconditionFailure("libyaml reported an end where a node begins")
        }
        let node = DocumentNode(content, at: event.position)
        if let anchor = event.anchor {
            anchors[anchor] = Anchored(node: node, nodeCount: nodeCount - nodeCountBefore, height: height)
        }
        return (node, height)
    }

    private mutating func sequence(depth: Int) throws(YAMLFault) -> (DocumentNode.Content, height: Int) {
        var items: [DocumentNode] = []
        var height = 0
        while true {
            let event = try parser.next()
            if case .sequenceEnd = event.kind { return (.sequence(items), height) }
            let (item, itemHeight) = try node(event, depth: depth + 1)
            items.append(item)
            height = max(height, itemHeight + 1)
        }
    }

    private mutating func mapping(depth: Int) throws(YAMLFault) -> (DocumentNode.Content, height: Int) {
        var entries: [DocumentEntry] = []
        var lines: [String: Int] = [:]
        var height = 0
        while true {
            let event = try parser.next()
            if case .mappingEnd = event.kind { return (.mapping(entries), height) }
            let (keyNode, _) = try node(event, depth: depth + 1)
            guard case .scalar(let key, let isPlain) = keyNode.content else {
                throw YAMLFault(.keyNotText, at: event.position)
            }
            if isPlain, key == "<<" { throw YAMLFault(.mergeKey, at: event.position) }
            if let line = lines.updateValue(event.position.line, forKey: key) {
                throw YAMLFault(.repeatedKey(key, line: line), at: event.position)
            }
            let (value, valueHeight) = try node(try parser.next(), depth: depth + 1)
            entries.append(DocumentEntry(key: key, keyPosition: event.position, value: value))
            height = max(height, valueHeight + 1)
        }
    }

    /// What an alias stands for. Its nodes share their memory with those of the anchor, and are counted all the same:
    /// whoever walks the tree meets them one by one.
    private mutating func repeated(
        _ name: String,
        _ position: TextPosition,
        depth: Int
    ) throws(YAMLFault) -> (DocumentNode, height: Int) {
        // An anchor is known when its node is complete, so none can hold itself.
        guard let anchored = anchors[name] else { throw YAMLFault(.unknownAnchor(name), at: position) }
        guard depth + anchored.height < Self.depthMax else { throw YAMLFault(.tooDeep, at: position) }
        try count(anchored.nodeCount, position)
        return (anchored.node, anchored.height)
    }

    private mutating func count(_ nodes: Int, _ position: TextPosition) throws(YAMLFault) {
        nodeCount += nodes
        guard nodeCount <= Self.nodesMax else { throw YAMLFault(.tooManyNodes, at: position) }
    }
}
