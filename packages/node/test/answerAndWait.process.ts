/**
 * Answers one inference of mode zk, says the signed receipt on a line, and waits to be killed before anything is proved.
 *   node answerAndWait.process.ts FOLDER CIRCUIT.azk INPUT
 */
import { receiptToJson } from '@assay/protocol'
import { startCircuitEngine } from '../src/engines/circuit/startCircuitEngine.ts'
import { type PaidAnswer, payingFetch, startTestServer } from './harness.ts'

const [dir, circuit, input] = process.argv.slice(2) as [string, string, string]
const { manifest, engine } = await startCircuitEngine(circuit)
const server = await startTestServer({ engine, manifest, dir })
const answers: PaidAnswer[] = []
const response = await payingFetch(server, answers)(`${server.url}/v1/infer`, {
  method: 'POST',
  headers: { 'content-type': 'application/json', 'x-assay-settlement': 'full' },
  body: JSON.stringify({ model: manifest.name, input: JSON.parse(input) }),
})
const receipt = answers.at(-1)?.receipt
if (response.status !== 200 || receipt === undefined) throw new Error(`the answer was ${response.status}`)
console.log(JSON.stringify(receiptToJson(receipt)))
