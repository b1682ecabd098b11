import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.ByteArrayInputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import javax.security.auth.callback.CallbackHandler;
import javax.xml.parsers.DocumentBuilderFactory;
import org.apache.ws.security.WSConstants;
import org.apache.ws.security.WSPasswordCallback;
import org.apache.ws.security.WSSConfig;
import org.apache.ws.security.WSSecurityEngine;
import org.apache.ws.security.WSSecurityEngineResult;
import org.apache.ws.security.WSSecurityException;
import org.apache.ws.security.cache.MemoryReplayCache;
import org.apache.ws.security.handler.RequestData;
import org.apache.ws.security.util.WSSecurityUtil;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/**
 * Lets Apache WSS4J judge the WS-Security header of each call: a UsernameToken of `bridge & co` with the password in
 * PASSWORD, of the type that KIND names (text, digest), a Timestamp where TIMESTAMP is set; no nonce twice. GET with
 * ?last gives the envelope that came last.
 */
public class VerifyingServer {
    private static final String SOAP = "http://schemas.xmlsoap.org/soap/envelope/";
    private static volatile byte[] last = new byte[0];

    public static void main(String[] arguments) throws Exception {
        InetAddress loopback = InetAddress.getByName("127.0.0.1");
        HttpServer server = HttpServer.create(new InetSocketAddress(loopback, Integer.parseInt(arguments[0])), 50);
        MemoryReplayCache nonces = new MemoryReplayCache();
        server.createContext("/", exchange -> answer(exchange, nonces));
        server.start();
    }

    private static void answer(HttpExchange exchange, MemoryReplayCache nonces) throws java.io.IOException {
        byte[] body = exchange.getRequestBody().readAllBytes();
        if (exchange.getRequestMethod().equals("GET")) {
            send(exchange, 200, new String(last, StandardCharsets.UTF_8));
            return;
        }
        last = body;
        try {
            verify(body, nonces);
            send(exchange, 200, envelope("<m:CheckResponse xmlns:m=\"urn:example:mail-authorization\">"
                + "<m:Decision>Permit</m:Decision></m:CheckResponse>"));
        } catch (WSSecurityException refused) {
            String code = refused.getFaultCode() == null ? "Client" : refused.getFaultCode().getLocalPart();
            send(exchange, 500, fault(code, refused.getMessage()));
        } catch (Exception error) {
            send(exchange, 500, fault("Server", String.valueOf(error)));
        }
    }

    private static void verify(byte[] body, MemoryReplayCache nonces) throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        Document document = factory.newDocumentBuilder().parse(new ByteArrayInputStream(body));
        WSSConfig config = WSSConfig.getNewInstance();
        boolean digest = "digest".equals(System.getenv("KIND"));
        config.setRequiredPasswordType(digest ? WSConstants.PASSWORD_DIGEST : WSConstants.PASSWORD_TEXT);
        config.setWsiBSPCompliant(true);
        RequestData data = new RequestData();
        data.setWssConfig(config);
        data.setNonceReplayCache(nonces);
        data.setCallbackHandler(passwordOf("bridge & co", System.getenv("PASSWORD")));
        WSSecurityEngine engine = new WSSecurityEngine();
        engine.setWssConfig(config);
        Element header = WSSecurityUtil.getSecurityHeader(document, "");
        java.util.List<WSSecurityEngineResult> results = engine.processSecurityHeader(header, data);
        demand(results, WSConstants.UT, "no UsernameToken was verified");
        if (System.getenv("TIMESTAMP") != null) demand(results, WSConstants.TS, "no Timestamp was verified");
    }

    private static void demand(java.util.List<WSSecurityEngineResult> results, int action, String otherwise)
            throws WSSecurityException {
        if (results == null || WSSecurityUtil.fetchActionResult(results, action) == null) {
            throw new WSSecurityException(otherwise);
        }
    }

    private static CallbackHandler passwordOf(String user, String password) {
        return callbacks -> {
            for (javax.security.auth.callback.Callback callback : callbacks) {
                WSPasswordCallback asked = (WSPasswordCallback) callback;
                if (user.equals(asked.getIdentifier())) asked.setPassword(password);
            }
        };
    }

    private static String fault(String code, String reason) {
        String safe = reason.replace("&", "&amp;").replace("<", "&lt;");
        return envelope("<s:Fault><faultcode>s:" + code + "</faultcode><faultstring>" + safe + "</faultstring></s:Fault>");
    }

    private static String envelope(String body) {
        return "<s:Envelope xmlns:s=\"" + SOAP + "\"><s:Body>" + body + "</s:Body></s:Envelope>";
    }

    private static void send(HttpExchange exchange, int status, String text) throws java.io.IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "text/xml; charset=utf-8");
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }
}
