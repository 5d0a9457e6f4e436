package site;

import java.text.ParseException;
import java.util.LinkedHashMap;
import java.util.Map;

import com.nimbusds.jose.jwk.JWK;

import jakarta.servlet.http.HttpServletResponse;

import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.core.AuthenticationException;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.oauth2.client.OAuth2AuthorizedClient;
import org.springframework.security.oauth2.client.annotation.RegisteredOAuth2AuthorizedClient;
import org.springframework.security.oauth2.client.endpoint.NimbusJwtClientAuthenticationParametersConverter;
import org.springframework.security.oauth2.client.endpoint.RestClientAuthorizationCodeTokenResponseClient;
import org.springframework.security.oauth2.client.endpoint.RestClientRefreshTokenTokenResponseClient;
import org.springframework.security.oauth2.client.oidc.authentication.OidcIdTokenDecoderFactory;
import org.springframework.security.oauth2.client.oidc.web.logout.OidcClientInitiatedLogoutSuccessHandler;
import org.springframework.security.oauth2.client.registration.ClientRegistration;
import org.springframework.security.oauth2.client.registration.ClientRegistrationRepository;
import org.springframework.security.oauth2.core.OAuth2AuthenticationException;
import org.springframework.security.oauth2.core.oidc.user.OidcUser;
import org.springframework.security.oauth2.jose.jws.SignatureAlgorithm;
import org.springframework.security.oauth2.jwt.JwtDecoderFactory;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

import tools.jackson.databind.json.JsonMapper;

/** A site that lets idp log people in and tells a test what it learned, as JSON. */
@SpringBootApplication
@RestController
public class Site {

    public static void main(String[] args) {
        SpringApplication.run(Site.class, args);
    }

    /** Who is logged in. An access token that has expired is refreshed on the way. */
    @GetMapping("/")
    Map<String, Object> home(@AuthenticationPrincipal OidcUser user,
            @RegisteredOAuth2AuthorizedClient("idp") OAuth2AuthorizedClient client) {
        Map<String, Object> told = new LinkedHashMap<>();
        told.put("id_token", user.getIdToken().getTokenValue());
        told.put("access_token", client.getAccessToken().getTokenValue());
        told.put("userinfo", user.getUserInfo().getClaims());
        return told;
    }

    @GetMapping("/signed-out")
    Map<String, Object> signedOut() {
        return Map.of();
    }

    @Bean
    SecurityFilterChain security(HttpSecurity http, ClientRegistrationRepository registrations) throws Exception {
        OidcClientInitiatedLogoutSuccessHandler signOut = new OidcClientInitiatedLogoutSuccessHandler(registrations);
        signOut.setPostLogoutRedirectUri("{baseUrl}/signed-out");
        return http
                .authorizeHttpRequests(requests -> requests.requestMatchers("/signed-out").permitAll().anyRequest().authenticated())
                .oauth2Login(login -> login.failureHandler((request, response, failure) -> tell(response, failure)))
                .logout(logout -> logout.logoutSuccessHandler(signOut))
                .oidcLogout(logout -> logout.backChannel(Customizer.withDefaults()))
                .build();
    }

    /** Spring takes RS256 and nothing else, unless it is told which algorithm a client is registered for. */
    @Bean
    JwtDecoderFactory<ClientRegistration> idTokens(@Value("${ID_TOKEN_SIGNED_RESPONSE_ALG}") String algorithm) {
        OidcIdTokenDecoderFactory factory = new OidcIdTokenDecoderFactory();
        factory.setJwsAlgorithmResolver(registration -> SignatureAlgorithm.from(algorithm));
        return factory;
    }

    /** How a site with a key of its own proves who it is (private_key_jwt), when it redeems a code. */
    @Bean
    RestClientAuthorizationCodeTokenResponseClient codes(@Value("${JWK:}") String key) {
        RestClientAuthorizationCodeTokenResponseClient codes = new RestClientAuthorizationCodeTokenResponseClient();
        codes.addParametersConverter(new NimbusJwtClientAuthenticationParametersConverter<>(registration -> jwk(key)));
        return codes;
    }

    /** The same, when it refreshes. */
    @Bean
    RestClientRefreshTokenTokenResponseClient refreshes(@Value("${JWK:}") String key) {
        RestClientRefreshTokenTokenResponseClient refreshes = new RestClientRefreshTokenTokenResponseClient();
        refreshes.addParametersConverter(new NimbusJwtClientAuthenticationParametersConverter<>(registration -> jwk(key)));
        return refreshes;
    }

    private static JWK jwk(String key) {
        try {
            return JWK.parse(key);
        } catch (ParseException e) {
            throw new IllegalStateException(e);
        }
    }

    /** What went wrong, the protocol's words first. */
    private static void tell(HttpServletResponse response, AuthenticationException failure) throws java.io.IOException {
        Map<String, Object> told = new LinkedHashMap<>();
        if (failure instanceof OAuth2AuthenticationException oauth) {
            told.put("error", oauth.getError().getErrorCode());
            told.put("error_description", oauth.getError().getDescription());
        }
        told.put("message", failure.getMessage());
        response.setStatus(HttpServletResponse.SC_BAD_GATEWAY);
        response.setContentType("application/json");
        JsonMapper.shared().writeValue(response.getOutputStream(), told);
    }
}
