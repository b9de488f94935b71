-- wrk: 1,000 different bodies in turn; every hundredth answer must hold a changed text, any answer must be a 200.
local requests, sent, answered = {}, 0, 0
wrong = 0 -- global: `done` reads it from each thread
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  wrong = 0
  for number = 0, 999 do
    local body = string.format('{"data":[{"text":"document number %04d says hello"}]}', number)
    requests[number + 1] = wrk.format("POST", "/echo", { ["Content-Type"] = "application/json" }, body)
  end
end

function request()
  sent = sent + 1
  return requests[sent % 1000 + 1]
end

function response(status, headers, body)
  answered = answered + 1
  if status ~= 200 or (answered % 100 == 0 and not body:find('"text":"document number %d%d%d%d says hello!"')) then
    wrong = wrong + 1
  end
end

function done(summary, latency, requests)
  local total = 0
  for _, thread in ipairs(threads) do total = total + thread:get("wrong") end
  local errors = summary.errors
  io.write(string.format("RESULT %d %d %d %d %.1f\n", summary.requests, summary.duration, total,
    errors.connect + errors.read + errors.write + errors.timeout, latency:percentile(50)))
end
