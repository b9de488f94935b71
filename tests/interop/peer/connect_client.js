// Connect's clients (npm) against a port that speaks everything: `node connect_client.js PORT DESCRIPTORS`, one JSON object on standard
// output, the name of each case with null, or what went wrong.

const assert = require('node:assert')
const fs = require('node:fs')
const { createFileRegistry, fromBinary } = require('@bufbuild/protobuf')
const { FileDescriptorSetSchema } = require('@bufbuild/protobuf/wkt')
const { Code, ConnectError, createClient } = require('@connectrpc/connect')
const { compressionGzip, createGrpcTransport, createGrpcWebTransport } = require('@connectrpc/connect-node')

const [port, descriptors] = process.argv.slice(2)
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, fs.readFileSync(descriptors)))
const options = { baseUrl: `http://127.0.0.1:${port}`, sendCompression: compressionGzip, acceptCompression: [compressionGzip] }
const TRANSPORTS = {
  'gRPC-Web over HTTP/1.1': createGrpcWebTransport({ ...options, httpVersion: '1.1' }),
  'gRPC-Web over HTTP/2': createGrpcWebTransport({ ...options, httpVersion: '2' }),
  gRPC: createGrpcTransport({ ...options, httpVersion: '2' })
}
const header = (execEndpoint, requestId = 'r1') => ({ header: { requestId, execEndpoint } })

function failsWith (code) {
  return error => { assert.strictEqual(ConnectError.from(error).code, code, String(error)); return true }
}

const CASES = {
  async unary (client) {
    const call = client('jina.JinaSingleDataRequestRPC')
    assert.strictEqual((await call.process_single_data(header('/one'))).header.requestId, 'r1')
  },
  async compressed (client) {
    const call = client('jina.JinaSingleDataRequestRPC')
    const request = header('/one', 'r'.repeat(100))
    const text = 'x'.repeat(50000)
    request.data = { documents: { case: 'docs', value: { docs: [{ data: { text: { content: { case: 'text', value: text } } } }] } } }
    const reply = await call.process_single_data(request)
    assert.strictEqual(reply.data.documents.value.docs[0].data.text.content.value, text)
  },
  async stream (client) {
    let n = 0
    for await (const reply of client('jina.JinaSingleDocumentRequestRPC').stream_doc(header('/tell'))) {
      assert.strictEqual(reply.header.requestId, 'r1')
      n++
    }
    assert.strictEqual(n, 3)
  },
  async failure (client) {
    const full = client('jina.JinaSingleDataRequestRPC').process_single_data(header('/full'))
    const error = await full.then(() => assert.fail('no error'), error => error)
    assert.strictEqual(error.code, Code.ResourceExhausted)
    assert.strictEqual(error.rawMessage, 'full: 100 % \u{1f608}')
    assert.deepStrictEqual(new Set(error.metadata.get('x-request-id').split(', ')), new Set(['r1'])) // in the head and in the trailers
  },
  async unknown_service (client) {
    await assert.rejects(client('grpc.health.v1.Health').check({ service: 'none' }), failsWith(Code.NotFound))
    await assert.rejects(client('jina.JinaExecutorSnapshot').snapshot({}), failsWith(Code.Unimplemented))
  },
  async deadline (client) {
    const waiting = client('jina.JinaSingleDataRequestRPC').process_single_data(header('/wait'), { timeoutMs: 100 })
    await assert.rejects(waiting, failsWith(Code.DeadlineExceeded))
  },
  async watched_health (client) {
    for await (const reply of client('grpc.health.v1.Health').watch({})) {
      assert.strictEqual(reply.status, 1)
      break
    }
  }
}

async function main () {
  const found = {}
  for (const [name, transport] of Object.entries(TRANSPORTS)) {
    const client = service => {
      const known = registry.getService(service)
      assert.ok(known, service)
      return createClient(known, transport)
    }
    for (const [what, run] of Object.entries(CASES)) {
      found[`${name}: ${what}`] = await run(client).then(() => null, error => error.stack)
    }
  }
  process.stdout.write(JSON.stringify(found), () => process.exit(0))
}

main()
