// Holds the FHIR files of deliveries against two validators that are not ours: HL7's JSON schema of R4, and FHIR.js, which
// reads R4's own structure definitions. Prints what each says, by kind of message and with counts; exit 1 if either objects.
const fs = require("fs");
const path = require("path");
const Schema = require("@asymmetrik/fhir-json-schema-validator");
const { Fhir } = require("fhir");

const FILES = ["devices.ndjson", "risk_assessments.ndjson", "provenances.ndjson", "deleted.ndjson"];
const schema = new Schema();
const structures = new Fhir();

function bySchema(resource) {
  return schema.validate(resource).map((error) => `${error.dataPath} ${error.message}`);
}

function byStructure(resource) {
  return structures.validate(resource, { errorOnUnexpected: true }).messages
    .filter((found) => found.severity !== "info")
    .map((found) => `${found.severity} ${found.location.replace(/\[\d+\]/g, "[]")}: ${found.message}`);
}

function held(folder) {
  const said = { "HL7 JSON schema": new Map(), "FHIR.js": new Map() };
  let resources = 0;
  for (const name of FILES.filter((file) => fs.existsSync(path.join(folder, file)))) {
    for (const line of fs.readFileSync(path.join(folder, name), "utf8").split("\n").filter(Boolean)) {
      const resource = JSON.parse(line);
      resources += 1;
      for (const [who, messages] of [["HL7 JSON schema", bySchema(resource)], ["FHIR.js", byStructure(resource)]]) {
        for (const message of messages) {
          const key = `${resource.resourceType}: ${message}`;
          said[who].set(key, (said[who].get(key) || 0) + 1);
        }
      }
    }
  }
  return { folder: path.basename(folder), resources, said };
}

let objections = 0;
for (const folder of process.argv.slice(2)) {
  const found = held(folder);
  for (const [who, messages] of Object.entries(found.said)) {
    console.log(`${who}: ${found.resources} resources of ${found.folder}, ${messages.size} kinds of objection`);
    for (const [message, count] of messages) console.log(`  ${count} x ${message}`);
    objections += messages.size;
  }
}
process.exit(objections ? 1 : 0);
