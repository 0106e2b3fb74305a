import assert from 'node:assert/strict'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import {
  canonicalJsonBytes,
  type Deployment,
  evidenceToJson,
  HARDWARE_NITRO,
  type KeyRegistration,
  NO_KEY_HASH,
  registrationIdOf,
  tag,
} from '@assay/protocol'
import {
  decodeSnpEvidence,
  rulesOfEvidence,
  type TrustedRoot,
  verifyRegistration,
  verifySnp,
} from '@assay/verify'
import { type Address, bytesToHex, type Hex, keccak256 } from 'viem'
import { temporaryFolder } from '../../../test/temporaryFolder.ts'
import { DCAP_AT, type SimulatedDcap, simulateDcap } from '../../verify/test/tee/simulatedDcap.ts'
import { CHIP, SNP_AT, simulateSnp } from '../../verify/test/tee/simulatedSnp.ts'
import type { Attester } from '../src/enclaves/attester.ts'
import { chooseAttester } from '../src/enclaves/chooseAttester.ts'
import { dstackAttester, tdxAttester } from '../src/enclaves/dcap.ts'
import { nitridingAttester } from '../src/enclaves/nitriding.ts'
import { nitroSimAttester } from '../src/enclaves/nitroSim.ts'
import { openEnclave } from '../src/enclaves/openEnclave.ts'
import { simulatedRoot } from '../src/enclaves/simulatedChain.ts'
import { snpAttester } from '../src/enclaves/snp.ts'
import { tsmDirectory } from './tsmDirectory.ts'

const deployment: Deployment = {
  chainId: 31337,
  settlement: '0x00000000000000000000000000000000000000a1',
  deploymentId: tag('test deployment'),
}
const node: Address = '0x00000000000000000000000000000000000000a6'
const teeRegistry: Address = '0x00000000000000000000000000000000000000a7'

/** Boots an enclave on this attester, registers its key and gives the validators' verdict. */
async function verdict(attester: Attester, now: bigint): Promise<string> {
  const enclave = await openEnclave({ attester, engineClasses: 1, now })
  const { key, hardwareType, rootHash, measurement } = enclave
  const anchor = { number: 7n, hash: tag('block 7'), timestamp: now - 30n }
  const evidence = await enclave.evidence(deployment, node, anchor)
  const bytes = canonicalJsonBytes(evidenceToJson(evidence))
  const registration: KeyRegistration = {
    ...{ node, key, hardwareType, rootHash, measurement, engineClasses: 1 },
    evidenceHash: keccak256(bytes),
  }
  const open = { validFrom: 1n, revokedAt: 0n }
  const report = verifyRegistration({
    registrationId: registrationIdOf(deployment.chainId, teeRegistry, registration),
    ...{ registration, deployment, teeRegistry, evidence: bytes, now },
    ...{ anchor, attestedAt: 0n },
    rules: new Map(rulesOfEvidence(evidence)?.map((name) => [name, 0n])),
    ...{ hardware: open, root: open, measurement: { ...open, engineClasses: 1 } },
  })
  return `${report.verdict} ${report.code} ${report.failedCheck ?? ''}`.trim()
}

async function listen(t: TestContext, handler: RequestListener, socketPath?: string): Promise<string> {
  const server = createServer(handler)
  await new Promise<void>((resolve) => {
    if (socketPath === undefined) server.listen(0, '127.0.0.1', resolve)
    else server.listen(socketPath, resolve)
  })
  t.after(() => server.close())
  return socketPath ?? `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Intel's service, as its API describes it, over the collateral of one simulated platform. */
function pcs(t: TestContext, { collateral, parameters }: SimulatedDcap) {
  const asked: string[] = []
  const served = listen(t, (request, response) => {
    const path = request.url ?? ''
    asked.push(path)
    const chain = (name: string, pem: string) => response.setHeader(name, encodeURIComponent(pem))
    if (path === '/sgx/certification/v4/pckcrl?ca=platform&encoding=der') {
      chain('SGX-PCK-CRL-Issuer-Chain', collateral.pckCrlIssuerChain)
      response.end(collateral.pckCrl)
    } else if (path === '/tdx/certification/v4/tcb?fmspc=00906ed50000') {
      chain('TCB-Info-Issuer-Chain', collateral.tcbInfoIssuerChain)
      const signature = Buffer.from(collateral.tcbInfoSignature).toString('hex')
      response.end(`{"tcbInfo":${collateral.tcbInfo},"signature":"${signature}"}`)
    } else if (path === '/tdx/certification/v4/qe/identity') {
      chain('SGX-Enclave-Identity-Issuer-Chain', collateral.qeIdentityIssuerChain)
      const signature = Buffer.from(collateral.qeIdentitySignature).toString('hex')
      response.end(`{"enclaveIdentity":${collateral.qeIdentity},"signature":"${signature}"}`)
    } else if (path === '/root.crl') response.end(collateral.rootCaCrl)
    else response.writeHead(404).end()
  })
  return served.then((url) => ({
    asked,
    source: { pcsUrl: url, rootCrlUrl: `${url}/root.crl`, roots: parameters.roots as TrustedRoot[] },
  }))
}

const quoteOn =
  (platform: SimulatedDcap, quote: Record<number, number[]> = {}) =>
  (reportData: Uint8Array) =>
    simulateDcap({ on: platform, quote: { 520: [...reportData], ...quote } }).quote

/** RTMR0 to RTMR3 of a guest whose event log is empty. */
const UNEXTENDED = { 328: new Array<number>(192).fill(0) }

test('a trust domain registers by quotes of its kernel and the collateral of Intel', async (t) => {
  const platform = simulateDcap()
  const { source } = await pcs(t, platform)
  const folder = temporaryFolder('tsm')
  const { files, entries } = tsmDirectory({ provider: 'tdx_guest', report: quoteOn(platform) })
  assert.equal(await verdict(tdxAttester({ ...source, folder, files }), BigInt(DCAP_AT)), 'valid ok')
  assert.deepEqual(entries, [], 'no entry is left behind')
})

test('a report over which somebody else wrote is not used', async (t) => {
  const platform = simulateDcap()
  const { source } = await pcs(t, platform)
  const folder = temporaryFolder('tsm')
  const tsm = tsmDirectory({
    provider: 'tdx_guest',
    report: quoteOn(platform),
    beforeRead: (entry) => tsm.files.writeFile(join(entry, 'inblob'), new Uint8Array(64).fill(1)),
  })
  const attester = tdxAttester({ ...source, folder, files: tsm.files })
  await assert.rejects(attester.attest(tag('binding')), { code: 'unreachable', message: /generation/ })
  assert.deepEqual(tsm.entries, [])
})

test('the device of another platform, or none, is a mistake of configuration', async () => {
  const folder = temporaryFolder('tsm')
  const { files } = tsmDirectory({ provider: 'sev_guest', report: () => new Uint8Array(1184) })
  await assert.rejects(tdxAttester({ folder, files }).attest(tag('binding')), { code: 'config' })
  const absent = join(folder, 'absent')
  await assert.rejects(tdxAttester({ folder: absent }).attest(tag('binding')), { code: 'config' })
  await assert.rejects(chooseAttester({ ASSAY_ENCLAVE: 'sgx2' }, folder), { code: 'config' })
})

test('a debug trust domain is refused before it asks anybody', async (t) => {
  const platform = simulateDcap()
  const { source } = await pcs(t, platform)
  const folder = temporaryFolder('tsm')
  const { files } = tsmDirectory({
    provider: 'tdx_guest',
    report: (reportData) => simulateDcap({ on: platform, quote: { 120: [1], 520: [...reportData] } }).quote,
  })
  const attester = tdxAttester({ ...source, folder, files })
  await assert.rejects(openEnclave({ attester, engineClasses: 1, now: BigInt(DCAP_AT) }), {
    code: 'config',
    message: /notDebug/,
  })
})

test('a dstack application registers by quotes from the socket of its guest agent', async (t) => {
  const platform = simulateDcap()
  const { source } = await pcs(t, platform)
  const socketPath = join(temporaryFolder('dstack'), 'dstack.sock')
  let log = '[]'
  await listen(
    t,
    (request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const { report_data: hex } = JSON.parse(Buffer.concat(chunks).toString()) as { report_data: string }
        if (request.url !== '/GetQuote' || !/^[0-9a-f]{128}$/.test(hex)) {
          response.writeHead(400).end('{"error":"bad report data"}')
          return
        }
        const quote = Buffer.from(quoteOn(platform, UNEXTENDED)(Buffer.from(hex, 'hex'))).toString('hex')
        response.end(JSON.stringify({ quote, event_log: log, report_data: hex, vm_config: '{}' }))
      })
    },
    socketPath,
  )
  assert.equal(await verdict(dstackAttester({ ...source, socketPath }), BigInt(DCAP_AT)), 'valid ok')
  const event = { imr: 3, event_type: 0x08000001, digest: '', event: 'app-id', event_payload: 'aa' }
  log = JSON.stringify([event])
  await assert.rejects(verdict(dstackAttester({ ...source, socketPath }), BigInt(DCAP_AT)), {
    code: 'config',
    message: /eventLog/,
  })
  const nowhere = dstackAttester({ socketPath: `${socketPath}.absent` })
  await assert.rejects(nowhere.attest(tag('binding')), { code: 'unreachable' })
})

test('a platform without collateral says so', async (t) => {
  const url = await listen(t, (_request, response) => response.writeHead(404).end())
  const folder = temporaryFolder('tsm')
  const { files } = tsmDirectory({ provider: 'tdx_guest', report: quoteOn(simulateDcap()) })
  const attester = tdxAttester({ pcsUrl: url, rootCrlUrl: url, folder, files })
  await assert.rejects(attester.attest(tag('binding')), { code: 'unreachable', message: /collateral/ })
})

/** The host's table (GHCB 4.1.8.1): GUID, offset, length; a zero entry ends it. */
function certificateTable(
  parts: readonly (readonly [string, Uint8Array])[],
  mixedEndian: boolean,
): Uint8Array {
  const head = 24 * (parts.length + 1)
  const table = Buffer.alloc(head + parts.reduce((sum, [, bytes]) => sum + bytes.length, 0))
  let at = head
  for (const [index, [guid, bytes]] of parts.entries()) {
    const raw = Buffer.from(guid.replaceAll('-', ''), 'hex')
    if (mixedEndian)
      for (const [from, to] of [
        [0, 4],
        [4, 6],
        [6, 8],
      ] as const)
        raw.subarray(from, to).reverse()
    raw.copy(table, 24 * index)
    table.writeUInt32LE(at, 24 * index + 16)
    table.writeUInt32LE(bytes.length, 24 * index + 20)
    table.set(bytes, at)
    at += bytes.length
  }
  return new Uint8Array(table)
}

test('a SEV-SNP guest registers by its report and the certificates of its host, or of AMD', async (t) => {
  const chip = simulateSnp({ crl: {} })
  const [ark, ask, vcek] = chip.evidence.certificates as [Uint8Array, Uint8Array, Uint8Array]
  const report = (reportData: Uint8Array) =>
    simulateSnp({ on: chip.evidence, report: { 80: [...reportData] } }).evidence.report
  const { roots } = chip.parameters
  const folder = temporaryFolder('tsm')
  for (const mixedEndian of [false, true]) {
    const auxblob = certificateTable(
      [
        ['63da758d-e664-4564-adc5-f4b93be8accd', vcek],
        ['4ab7b379-bbac-4fe4-a02f-05aef327c782', ask],
        ['c0b406a4-a803-4952-9743-3fb6014cd0ae', ark],
      ],
      mixedEndian,
    )
    const { files } = tsmDirectory({ provider: 'sev_guest', report, auxblob })
    // Nothing listens there: certificates that the host gives are used.
    const attester = snpAttester({ folder, files, roots, kdsUrl: 'http://127.0.0.1:1' })
    assert.equal(await verdict(attester, BigInt(SNP_AT)), 'valid ok')
  }
  const toPem = (der: Uint8Array) =>
    `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE-----\n`
  const asked: string[] = []
  const kdsUrl = await listen(t, (request, response) => {
    asked.push(request.url ?? '')
    if (request.url === '/vcek/v1/Genoa/cert_chain') response.end(toPem(ask) + toPem(ark))
    else if (request.url === '/vcek/v1/Genoa/crl') response.end(chip.evidence.crl)
    else response.end(vcek)
  })
  const { files } = tsmDirectory({ provider: 'sev_guest', report })
  assert.equal(await verdict(snpAttester({ folder, files, roots, kdsUrl }), BigInt(SNP_AT)), 'valid ok')
  const leaf = `/vcek/v1/Genoa/${bytesToHex(CHIP).slice(2)}?blSPL=03&teeSPL=00&snpSPL=20&ucodeSPL=80`
  assert.ok(asked.includes(leaf), asked.join('\n'))
})

test("a cloud's host gives the certificate of its key alone: the rest comes from AMD, and that one from nobody else", async (t) => {
  const cloud = simulateSnp({ signer: 'VLEK', crl: {} })
  const [ark, ask, vlek] = cloud.evidence.certificates as [Uint8Array, Uint8Array, Uint8Array]
  const report = (reportData: Uint8Array) =>
    simulateSnp({ signer: 'VLEK', on: cloud.evidence, report: { 80: [...reportData] } }).evidence.report
  const toPem = (der: Uint8Array) =>
    `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE-----\n`
  const kdsUrl = await listen(t, (request, response) => {
    if (request.url === '/vlek/v1/Genoa/cert_chain') response.end(toPem(ask) + toPem(ark))
    else if (request.url === '/vlek/v1/Genoa/crl') response.end(cloud.evidence.crl)
    else response.writeHead(404).end()
  })
  const folder = temporaryFolder('tsm')
  const auxblob = certificateTable([['a8074bc2-a25a-483e-aae6-39c045a0b8a1', vlek]], true)
  const { files } = tsmDirectory({ provider: 'sev_guest', report, auxblob })
  const evidence = decodeSnpEvidence(await snpAttester({ folder, files, kdsUrl }).attest(tag('binding')))
  assert.deepEqual(evidence.certificates, [ark, ask, vlek])
  const policy = { signers: ['VLEK' as const] }
  assert.equal(verifySnp(evidence, { ...cloud.parameters, policy }).verdict, 'accepted')

  const bare = tsmDirectory({ provider: 'sev_guest', report })
  const attester = snpAttester({ folder, files: bare.files, kdsUrl })
  await assert.rejects(attester.attest(tag('binding')), { code: 'unreachable', message: /VLEK/ })
})

test('a Nitro enclave registers through the nitriding daemon, which adds the key of its TLS', async (t) => {
  const root = await simulatedRoot(temporaryFolder('nitriding'))
  const hardware = nitroSimAttester(root)
  const tls = Buffer.alloc(32, 0x77)
  let ready = false
  let appKeyHash: Buffer = Buffer.alloc(32)
  const internalUrl = await listen(t, (request, response) => {
    if (request.method === 'GET' && request.url === '/enclave/ready') {
      // The daemon closes a channel here; a second time it panics and drops the connection.
      if (ready) response.destroy()
      ready = true
      response.end()
      return
    }
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      appKeyHash = Buffer.from(Buffer.concat(chunks).toString(), 'base64')
      response.writeHead(request.url === '/enclave/hash' && appKeyHash.length === 32 ? 200 : 400).end()
    })
  })
  const publicUrl = await listen(t, (request, response) => {
    const nonce = new URL(request.url ?? '', 'http://x').searchParams.get('nonce') ?? ''
    if (!ready || !/^[0-9a-f]{40}$/.test(nonce)) {
      response.writeHead(400).end()
      return
    }
    const text = Buffer.from('sha256:')
    const userData = Buffer.concat([text, tls, Buffer.from(';'), text, appKeyHash])
    void hardware.attest(bytesToHex(userData)).then((document) => {
      response.end(`${Buffer.from(document).toString('base64')}\n`)
    })
  })
  const roots = [{ rootHash: root.rootHash, hardwareType: HARDWARE_NITRO }]
  const now = BigInt(Math.floor(Date.now() / 1000))
  for (let boot = 0; boot < 2; boot++) {
    const attester = await nitridingAttester({ internalUrl, publicUrl, roots })
    assert.equal(attester.tlsKeyHash, bytesToHex(tls))
    assert.equal(await verdict(attester, now), 'valid ok')
  }
  // Two at once must not get each other's: the daemon has one place for the application's hash.
  const attester = await nitridingAttester({ internalUrl, publicUrl, roots })
  const bindings: Hex[] = [tag('one'), tag('two'), tag('three')]
  await Promise.all(bindings.map((binding) => attester.attest(binding)))
  assert.notEqual(attester.tlsKeyHash, NO_KEY_HASH)
})
