-- A new connection for every request.
request = function()
  return wrk.format("GET", "/", { ["Host"] = "shop.localhost", ["Connection"] = "close" })
end
