// gRPC's interoperability cases with grpc-js as the client: `node testing_client.js PORT DESCRIPTORS`, one JSON object on standard output,
// the name of each case with null, or what went wrong. Written anew from gRPC's interop-test-descriptions.md.

const assert = require('node:assert')
const fs = require('node:fs')
const grpc = require('@grpc/grpc-js')
const loader = require('@grpc/proto-loader')

const [port, descriptors] = process.argv.slice(2)
const definition = loader.loadFileDescriptorSetFromBuffer(fs.readFileSync(descriptors), { keepCase: true, defaults: true })
const testing = grpc.loadPackageDefinition(definition).grpc.testing
const address = `127.0.0.1:${port}`
const client = new testing.TestService(address, grpc.credentials.createInsecure())
const stranger = new testing.UnimplementedService(address, grpc.credentials.createInsecure())
const gzip = new testing.TestService(address, grpc.credentials.createInsecure(), { 'grpc.default_compression_algorithm': 2 })

const payload = size => ({ body: Buffer.alloc(size) })
const large = (more = {}) => ({ response_size: 314159, payload: payload(271828), ...more })
const wanted = (...sizes) => sizes.map(size => ({ size }))
const deadline = () => ({ deadline: Date.now() + 20000 })
const SPECIAL = '\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \u{1f608}\t\n'

// Gives {error, reply, initial, status} of a call that ends with a callback.
function ended (begin) {
  return new Promise(resolve => {
    const found = {}
    const finish = () => { if ('error' in found && found.status) resolve(found) }
    const call = begin((error, reply) => { Object.assign(found, { error, reply }); finish() })
    call.on('metadata', initial => { found.initial = initial })
    call.on('status', status => { found.status = status; finish() })
  })
}

// The same of a call that gives messages.
function drained (call, onData = () => {}) {
  return new Promise(resolve => {
    const found = { messages: [] }
    call.on('metadata', initial => { found.initial = initial })
    call.on('data', message => { found.messages.push(message); onData(message, found.messages.length) })
    call.on('error', error => { found.error = error })
    call.on('status', status => { found.status = status; resolve(found) })
  })
}

const unary = (request, { from = client, metadata = new grpc.Metadata(), method = 'UnaryCall' } = {}) =>
  ended(done => from[method](request, metadata, deadline(), done))

async function isLarge (request, from) {
  const { error, reply } = await unary(request, { from })
  assert.ifError(error)
  assert.ok(reply.payload.body.equals(Buffer.alloc(314159)))
}

function streamIn (from, pieces) {
  return ended(done => {
    const call = from.StreamingInputCall(new grpc.Metadata(), deadline(), done)
    pieces.forEach(piece => call.write(piece))
    call.end()
    return call
  })
}

const sizes = found => found.messages.map(message => message.payload.body.length)

function echoed () {
  const metadata = new grpc.Metadata()
  metadata.set('x-grpc-test-echo-initial', 'test_initial_metadata_value')
  metadata.set('x-grpc-test-echo-trailing-bin', Buffer.from([0xab, 0xab, 0xab]))
  return metadata
}

function isEchoed ({ initial, status }) {
  assert.deepStrictEqual(initial.get('x-grpc-test-echo-initial'), ['test_initial_metadata_value'])
  assert.deepStrictEqual(status.metadata.get('x-grpc-test-echo-trailing-bin'), [Buffer.from([0xab, 0xab, 0xab])])
}

const CASES = {
  async empty_unary () {
    const { error, reply } = await unary({}, { method: 'EmptyCall' })
    assert.ifError(error)
    assert.deepStrictEqual({ ...reply }, {})
  },
  async cacheable_unary () {
    const metadata = new grpc.Metadata()
    metadata.set('x-user-ip', '1.2.3.4')
    for (let n = 0; n < 2; n++) {
      const { error, initial } = await unary({ response_size: 8 }, { metadata, method: 'CacheableUnaryCall' })
      assert.ifError(error)
      assert.deepStrictEqual(initial.get('cache-control'), ['max-age=60, public'])
    }
  },
  async large_unary () {
    await isLarge(large())
  },
  async client_compressed_unary () {
    const probe = await unary(large({ expect_compressed: { value: true } }))
    assert.strictEqual(probe.error.code, grpc.status.INVALID_ARGUMENT)
    await isLarge(large({ expect_compressed: { value: true } }), gzip)
    await isLarge(large({ expect_compressed: { value: false } }))
  },
  async server_compressed_unary () {
    await isLarge(large({ response_compressed: { value: true } }))
    await isLarge(large({ response_compressed: { value: false } }))
  },
  async client_streaming () {
    const { error, reply } = await streamIn(client, [27182, 8, 1828, 45904].map(size => ({ payload: payload(size) })))
    assert.ifError(error)
    assert.strictEqual(reply.aggregated_payload_size, 74922)
  },
  async client_compressed_streaming () {
    const pieces = [27182, 45904].map(size => ({ payload: payload(size), expect_compressed: { value: true } }))
    const probe = await streamIn(client, pieces)
    assert.strictEqual(probe.error.code, grpc.status.INVALID_ARGUMENT)
    const { error, reply } = await streamIn(gzip, pieces)
    assert.ifError(error)
    assert.strictEqual(reply.aggregated_payload_size, 73086)
  },
  async server_streaming () {
    const asked = wanted(31415, 9, 2653, 58979)
    const found = await drained(client.StreamingOutputCall({ response_parameters: asked }, deadline()))
    assert.ifError(found.error)
    assert.deepStrictEqual(sizes(found), [31415, 9, 2653, 58979])
  },
  async server_compressed_streaming () {
    const asked = [{ size: 31415, compressed: { value: true } }, { size: 92653, compressed: { value: false } }]
    const found = await drained(client.StreamingOutputCall({ response_parameters: asked }, deadline()))
    assert.ifError(found.error)
    assert.deepStrictEqual(sizes(found), [31415, 92653])
  },
  async ping_pong () {
    const rounds = [[31415, 27182], [9, 8], [2653, 1828], [58979, 45904]]
    const call = client.FullDuplexCall(deadline())
    const send = ([size, sent]) => call.write({ response_parameters: wanted(size), payload: payload(sent) })
    const found = drained(call, (_, n) => n < rounds.length ? send(rounds[n]) : call.end())
    send(rounds[0])
    assert.deepStrictEqual(sizes(await found), rounds.map(([size]) => size))
    assert.ifError((await found).error)
  },
  async empty_stream () {
    const call = client.FullDuplexCall(deadline())
    call.end()
    const found = await drained(call)
    assert.ifError(found.error)
    assert.deepStrictEqual(found.messages, [])
  },
  async custom_metadata () {
    isEchoed(await unary(large(), { metadata: echoed() }))
    const call = client.FullDuplexCall(echoed(), deadline())
    call.write({ response_parameters: wanted(314159), payload: payload(271828) })
    call.end()
    isEchoed(await drained(call))
  },
  async status_code_and_message () {
    const status = { code: 2, message: 'test status message' }
    const call = client.FullDuplexCall(deadline())
    const streamed = drained(call)
    call.write({ response_status: status })
    call.end()
    for (const { error } of [await unary({ response_status: status }), await streamed]) {
      assert.deepStrictEqual([error.code, error.details], [2, 'test status message'])
    }
  },
  async special_status_message () {
    const { error } = await unary({ response_status: { code: 2, message: SPECIAL } })
    assert.deepStrictEqual([error.code, error.details], [2, SPECIAL])
  },
  async unimplemented_method () {
    const { error } = await unary({}, { method: 'UnimplementedCall' })
    assert.strictEqual(error.code, grpc.status.UNIMPLEMENTED)
  },
  async unimplemented_service () {
    const { error } = await unary({}, { from: stranger, method: 'UnimplementedCall' })
    assert.strictEqual(error.code, grpc.status.UNIMPLEMENTED)
  },
  async cancel_after_begin () {
    const { error } = await ended(done => {
      const call = client.StreamingInputCall(echoed(), deadline(), done)
      call.cancel()
      return call
    })
    assert.strictEqual(error.code, grpc.status.CANCELLED)
  },
  async cancel_after_first_response () {
    const call = client.FullDuplexCall(deadline())
    const found = drained(call, () => call.cancel())
    call.write({ response_parameters: wanted(31415), payload: payload(27182) })
    assert.strictEqual((await found).error.code, grpc.status.CANCELLED)
    assert.deepStrictEqual(sizes(await found), [31415])
  },
  async timeout_on_sleeping_server () {
    const call = client.FullDuplexCall({ deadline: Date.now() + 1 })
    const found = drained(call)
    call.write({ payload: payload(27182) })
    assert.strictEqual((await found).error.code, grpc.status.DEADLINE_EXCEEDED)
  }
}

async function main () {
  const found = {}
  for (const [name, run] of Object.entries(CASES)) {
    found[name] = await run().then(() => null, error => error.stack)
  }
  // After a call that was cancelled at once grpc-js keeps its connection for ever, whoever the server is.
  process.stdout.write(JSON.stringify(found), () => process.exit(0))
}

main()
