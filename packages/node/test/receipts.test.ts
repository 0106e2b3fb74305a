import assert from 'node:assert/strict'
import { request as httpRequest } from 'node:http'
import { after, before, describe, test } from 'node:test'
import {
  decodeReceiptHeader,
  MODE,
  type Receipt,
  receiptDigest,
  recoverSigner,
  responseHash,
  type SignedReceipt,
  STATUS,
  signedReceiptFromJson,
  stripSseComments,
} from '@assay/protocol'
import OpenAI from 'openai'
import type { Hex } from 'viem'
import { until } from '../../../test/until.ts'
import { SMOLLM2_MODEL_ID } from '../src/models/smollm2.ts'
import {
  chatBody,
  DEPLOYMENT,
  GATEWAY,
  hashOfRequest,
  MODEL,
  OPERATOR,
  oneWordUntilAborted,
  PATH,
  PAYER,
  PLENTY,
  PRICE,
  paidHeaders,
  payment,
  requestAuthHeader,
  startTestServer,
  type TestServer,
  threeWords,
} from './harness.ts'

describe('receipts of a node', () => {
  const began = BigInt(Math.floor(Date.now() / 1000))
  let node: TestServer
  before(async () => {
    node = await startTestServer()
  })
  after(() => node.close())

  const post = async (body: string, headers: Record<string, string>, path = PATH) => {
    const response = await fetch(node.url + path, { method: 'POST', body, headers })
    return { response, bytes: new Uint8Array(await response.arrayBuffer()) }
  }
  const stored = async (requestId: Hex): Promise<SignedReceipt> => {
    const response = await fetch(`${node.url}/v1/receipts/${requestId}`)
    assert.equal(response.status, 200)
    return signedReceiptFromJson(JSON.parse(await response.text()))
  }
  const checkCommon = async (signed: SignedReceipt, expected: Partial<Receipt>) => {
    const { receipt, signature } = signed
    assert.equal(await recoverSigner(receiptDigest(receipt, DEPLOYMENT), signature), node.enclave.key)
    for (const [name, value] of Object.entries({
      version: 1,
      payer: PAYER.address.toLowerCase(),
      node: OPERATOR,
      key: node.enclave.key,
      committer: GATEWAY,
      modelId: SMOLLM2_MODEL_ID,
      priceVersion: 3n,
      engineClass: 0,
      mode: MODE.tee,
      includeBy: receipt.issuedAt + 600n,
      anchorBlock: 7n,
      ...expected,
    })) {
      assert.equal(receipt[name as keyof Receipt], value, name)
    }
    assert.ok(receipt.issuedAt >= began && receipt.issuedAt <= BigInt(Math.floor(Date.now() / 1000)))
  }

  test('a whole answer: the header signs the very bytes in and out', async () => {
    const paid = await payment(PLENTY)
    const body = chatBody({ max_tokens: 50 })
    const headers = await paidHeaders(paid, { 'X-Assay-Value-At-Risk': '1.5', 'x-assay-verification': 'tee' })
    const { response, bytes } = await post(body, headers, `${PATH}?trace=1`)
    assert.equal(response.status, 200)
    assert.equal(response.headers.get('x-assay-request-id'), paid.requestId)
    assert.equal(response.headers.get('x-assay-verification'), 'tee')
    assert.match(response.headers.get('cache-control') ?? '', /no-transform/)
    const contentType = response.headers.get('content-type') ?? ''
    const signed = decodeReceiptHeader(response.headers.get('x-assay-receipt') ?? '')
    await checkCommon(signed, {
      requestId: paid.requestId,
      status: STATUS.complete,
      requestHash: hashOfRequest(body, headers, `${PATH}?trace=1`),
      responseHash: responseHash({ status: 200, contentType, body: bytes }),
      inputUnits: 3n,
      outputUnits: 3n,
      price: PRICE.perCall + 3n * PRICE.inputPrice + 3n * PRICE.outputPrice,
      valueAtRisk: 15n * 10n ** 17n,
    })
    const answer = JSON.parse(new TextDecoder().decode(bytes))
    assert.equal(answer.choices[0].message.content, 'one two three')
    assert.deepEqual(answer.usage, { prompt_tokens: 3, completion_tokens: 3, total_tokens: 6 })
    assert.deepEqual(await stored(paid.requestId), signed)
  })

  test('a stream: golden bytes, the receipt right before the terminal event', async () => {
    const paid = await payment(PLENTY)
    const body = chatBody({ stream: true, stream_options: { include_usage: true } })
    const headers = await paidHeaders(paid)
    const { response, bytes } = await post(body, headers)
    assert.equal(response.headers.get('content-type'), 'text/event-stream')
    assert.equal(response.headers.get('x-assay-request-id'), paid.requestId)
    const text = new TextDecoder().decode(bytes)
    const id = `chatcmpl-${paid.requestId.slice(2, 34)}`
    const created = /"created":(\d+)/.exec(text)?.[1]
    const comment = /^: assay-receipt ([A-Za-z0-9_-]+)$/m.exec(text)?.[1] ?? ''
    const chunk = (choices: string, usage = 'null') =>
      `data: {"id":"${id}","object":"chat.completion.chunk","created":${created},"model":"smollm2-135m-instruct",` +
      `"choices":[${choices}],"usage":${usage}}\n\n`
    const delta = (json: string, finish = 'null') =>
      `{"index":0,"delta":${json},"logprobs":null,"finish_reason":${finish}}`
    assert.equal(
      text,
      chunk(delta('{"role":"assistant","content":""}')) +
        chunk(delta('{"content":"one"}')) +
        chunk(delta('{"content":" two"}')) +
        chunk(delta('{"content":" three"}')) +
        chunk(delta('{}', '"stop"')) +
        chunk('', '{"prompt_tokens":3,"completion_tokens":3,"total_tokens":6}') +
        `: assay-receipt ${comment}\ndata: [DONE]\n\n`,
    )
    const signed = decodeReceiptHeader(comment)
    await checkCommon(signed, {
      requestId: paid.requestId,
      status: STATUS.complete,
      requestHash: hashOfRequest(body, headers),
      responseHash: responseHash({
        status: 200,
        contentType: 'text/event-stream',
        body: stripSseComments(bytes),
      }),
      outputUnits: 3n,
      valueAtRisk: 0n,
    })
    assert.deepEqual(await stored(paid.requestId), signed)
  })

  test('seq rises by one with each receipt', async () => {
    const seqs: bigint[] = []
    for (let turn = 0; turn < 3; turn++) {
      const { response } = await post(chatBody(), await paidHeaders(await payment(PLENTY)))
      seqs.push(decodeReceiptHeader(response.headers.get('x-assay-receipt') ?? '').receipt.seq)
    }
    assert.deepEqual(seqs, [seqs[0], (seqs[0] as bigint) + 1n, (seqs[0] as bigint) + 2n])
  })

  test('one payment pays one request, also while it runs', async () => {
    const paid = await payment(PLENTY)
    let finish: () => void = () => undefined
    const held = new Promise<void>((resolve) => {
      finish = resolve
    })
    node.state.script = async (options, work) => {
      await held
      return threeWords(options, work)
    }
    const first = post(chatBody(), await paidHeaders(paid))
    await until(() => node.queue.state().running === 1)
    const running = await fetch(`${node.url}/v1/receipts/${paid.requestId}`)
    assert.equal(running.status, 404)
    assert.equal(((await running.json()) as { error: { code: string } }).error.code, 'request_running')
    const during = await post(chatBody(), await paidHeaders(paid))
    finish()
    assert.equal((await first).response.status, 200)
    const later = await post(chatBody({ stream: true }), await paidHeaders(paid))
    node.state.script = threeWords
    for (const { response, bytes } of [during, later]) {
      assert.equal(response.status, 409)
      assert.equal(JSON.parse(new TextDecoder().decode(bytes)).error.code, 'duplicate_request')
    }
  })

  test('a client that leaves mid-stream pays for what was written, by a cancelled receipt', async () => {
    const paid = await payment(PLENTY)
    let aborted = false
    node.state.script = (options) =>
      new Promise((resolve) => {
        options.onText('one', 1)
        options.onText(' two', 2)
        options.signal.addEventListener('abort', () => {
          aborted = true
          options.onText(' never written', 3)
          resolve({ finish: 'aborted', outputUnits: 3 })
        })
      })
    const body = chatBody({ stream: true })
    const headers = await paidHeaders(paid)
    const got: Buffer[] = []
    await new Promise<void>((resolve, reject) => {
      const client = httpRequest(node.url + PATH, { method: 'POST', headers }, (response) => {
        response.on('data', (piece: Buffer) => {
          got.push(piece)
          if (Buffer.concat(got).includes(' two')) client.destroy()
        })
        response.on('close', resolve)
        response.on('error', () => undefined)
      })
      client.on('error', reject)
      client.end(body)
    })
    await until(() => node.receipts.find(paid.requestId) !== undefined)
    node.state.script = threeWords
    assert.ok(aborted)
    await checkCommon(await stored(paid.requestId), {
      status: STATUS.cancelled,
      requestHash: hashOfRequest(body, headers),
      responseHash: responseHash({
        status: 200,
        contentType: 'text/event-stream',
        body: Buffer.concat(got),
      }),
      outputUnits: 2n,
      price: PRICE.perCall + 3n * PRICE.inputPrice + 2n * PRICE.outputPrice,
    })
    assert.deepEqual(node.queue.state().running, 0)
  })

  test('a stream that its caller has stopped ends as one that is whole, with a cancelled receipt', async () => {
    const paid = await payment(PLENTY)
    node.state.script = oneWordUntilAborted
    const headers = await paidHeaders(paid)
    const answer = await fetch(node.url + PATH, { method: 'POST', body: chatBody({ stream: true }), headers })
    const stopped = await fetch(`${node.url}/v1/requests/${paid.requestId}/stop`, { method: 'POST' })
    assert.ok(stopped.ok)
    const events = (await answer.text()).split('\n').filter((line) => line.startsWith('data: '))
    node.state.script = threeWords
    assert.equal(events.at(-1), 'data: [DONE]')
    // What OpenAI's client wants of each choice before it calls the answer an answer.
    const [choice] = JSON.parse(events.at(-2)?.slice(6) ?? '').choices
    assert.deepEqual([choice.delta, choice.finish_reason], [{}, 'stop'])
    const { price } = (await stored(paid.requestId)).receipt
    assert.equal((await stored(paid.requestId)).receipt.status, STATUS.cancelled)
    assert.equal(price, PRICE.perCall + 3n * PRICE.inputPrice + PRICE.outputPrice)
  })

  test('a stream that is stopped before its first word is an empty answer for nothing, not a broken one', async () => {
    const paid = await payment(PLENTY)
    node.state.script = ({ signal }) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => resolve({ finish: 'aborted', outputUnits: 0 }))
      })
    const headers = await paidHeaders(paid)
    const answer = fetch(node.url + PATH, { method: 'POST', body: chatBody({ stream: true }), headers })
    await until(() => node.queue.state().running === 1)
    await fetch(`${node.url}/v1/requests/${paid.requestId}/stop`, { method: 'POST' })
    const client = new OpenAI({ apiKey: 'unused', fetch: () => answer, maxRetries: 0 })
    const stream = client.chat.completions.stream({ model: MODEL, messages: [] })
    const { choices } = await stream.finalChatCompletion()
    node.state.script = threeWords
    assert.deepEqual([choices.length, choices[0]?.finish_reason], [1, 'stop'])
    const { status, price } = (await stored(paid.requestId)).receipt
    assert.deepEqual([status, price], [STATUS.cancelled, 0n])
  })

  test('a client that leaves before a whole answer is out pays nothing', async () => {
    const paid = await payment(PLENTY)
    node.state.script = oneWordUntilAborted
    const leave = new AbortController()
    const answer = fetch(node.url + PATH, {
      method: 'POST',
      body: chatBody(),
      headers: await paidHeaders(paid),
      signal: leave.signal,
    })
    await until(() => node.queue.state().running === 1)
    leave.abort()
    await assert.rejects(answer)
    await until(() => node.receipts.find(paid.requestId) !== undefined)
    node.state.script = threeWords
    await checkCommon(await stored(paid.requestId), { status: STATUS.cancelled, outputUnits: 0n, price: 0n })
  })

  test('a failing engine costs nothing, whole and streamed', async () => {
    node.state.script = async (options) => {
      options.onText('one', 1)
      throw new Error('out of order')
    }
    const whole = await payment(PLENTY)
    const first = await post(chatBody(), await paidHeaders(whole))
    assert.equal(first.response.status, 500)
    const signed = decodeReceiptHeader(first.response.headers.get('x-assay-receipt') ?? '')
    await checkCommon(signed, {
      status: STATUS.failed,
      price: 0n,
      responseHash: responseHash({ status: 500, contentType: 'application/json', body: first.bytes }),
    })
    const streamed = await payment(PLENTY)
    const second = await post(chatBody({ stream: true }), await paidHeaders(streamed))
    node.state.script = threeWords
    const text = new TextDecoder().decode(second.bytes)
    assert.match(text, /"code":"engine_failed"/)
    assert.ok(text.endsWith('data: [DONE]\n\n'))
    await checkCommon(decodeReceiptHeader(/assay-receipt (\S+)/.exec(text)?.[1] ?? ''), {
      status: STATUS.failed,
      price: 0n,
      responseHash: responseHash({
        status: 200,
        contentType: 'text/event-stream',
        body: stripSseComments(second.bytes),
      }),
    })
  })

  test('the payer’s own authorisation is checked member by member', async () => {
    const body = chatBody({ max_tokens: 5 })
    const code = async (change: Record<string, unknown>, privateKey?: Hex) => {
      const paid = await payment(PLENTY)
      const headers = await paidHeaders(paid)
      const auth = {
        requestId: paid.requestId,
        requestHash: hashOfRequest(body, headers),
        modelId: SMOLLM2_MODEL_ID,
        maxPrice: PLENTY,
        committer: GATEWAY,
        deadline: BigInt(Math.floor(Date.now() / 1000) + 60),
        ...change,
      }
      headers['assay-request-auth'] = await requestAuthHeader(auth, privateKey)
      const { response, bytes } = await post(body, headers)
      return response.status === 200 ? 200 : JSON.parse(new TextDecoder().decode(bytes)).error.code
    }
    assert.equal(await code({}), 200)
    const other: Hex = `0x${'22'.repeat(32)}`
    for (const change of [
      { requestId: other },
      { requestHash: other },
      { modelId: other },
      { maxPrice: 1n },
      { committer: OPERATOR },
      { deadline: 1n },
    ]) {
      assert.equal(await code(change), 'invalid_request_auth', Object.keys(change)[0])
    }
    assert.equal(await code({}, other), 'invalid_request_auth', 'signed by another')
    const paid = await payment(PLENTY)
    const garbage = await post(body, await paidHeaders(paid, { 'assay-request-auth': 'AAAA' }))
    assert.equal(garbage.response.status, 400)
  })

  test('a full house answers 429 with Retry-After, and charges nobody', async () => {
    const small = await startTestServer({ waiting: 0 })
    let finish: () => void = () => undefined
    const held = new Promise<void>((resolve) => {
      finish = resolve
    })
    small.state.script = async (options, messages) => {
      await held
      return threeWords(options, messages)
    }
    const send = async (paid: { header: string }) =>
      fetch(small.url + PATH, { method: 'POST', body: chatBody(), headers: await paidHeaders(paid) })
    const first = send(await payment(PLENTY))
    await until(() => small.queue.state().running === 1)
    const second = await payment(PLENTY)
    const refused = await send(second)
    assert.equal(refused.status, 429)
    assert.ok(Number(refused.headers.get('retry-after')) >= 1)
    assert.equal(((await refused.json()) as { error: { type: string } }).error.type, 'rate_limit_error')
    assert.equal(small.receipts.find(second.requestId), undefined)
    finish()
    assert.equal((await first).status, 200)
    assert.equal((await send(second)).status, 200, 'the same payment is good for another try')
    await small.close()
  })

  test('evidence is served under its hash, and nothing else is', async () => {
    const saved = await node.evidence.save(
      await node.enclave.evidence(DEPLOYMENT, OPERATOR, { number: 7n, hash: `0x${'ab'.repeat(32)}` }),
    )
    const found = await fetch(`${node.url}/v1/evidence/${saved}`)
    assert.equal(found.status, 200)
    const form =
      /^\{"anchorBlock":"7","anchorHash":"0xab[^"]+","document":"[^"]+","hpkeKeyHash":"(0x[0-9a-f]{64})","kind":"nitro-sim"/
    assert.equal(form.exec(await found.text())?.[1], node.enclave.hpkeKeyHash)
    for (const hash of [`0x${'00'.repeat(32)}`, '..%2freceipts.sqlite', 'x']) {
      assert.equal((await fetch(`${node.url}/v1/evidence/${hash}`)).status, 404)
    }
  })
})
